"""The whole system, all processes as processes, from HTTP to inbox."""
