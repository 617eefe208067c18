"""Processes and HTTP servers as they really run."""
