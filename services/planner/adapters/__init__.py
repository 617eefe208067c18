"""Speaks to the planner's tables and to the broker."""
