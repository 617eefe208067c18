"""HTTP routes, loops and health checks: each turns the outside into one use case."""
