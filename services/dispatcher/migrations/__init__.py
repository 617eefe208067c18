"""The dispatcher's tables, forward only."""
