"""The planner's decisions, without a server."""
