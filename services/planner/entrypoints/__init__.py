"""Turns messages, requests and the passing of time into calls of the planner's use cases."""
