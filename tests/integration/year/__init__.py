"""A year of a varied population through all services: every explanation against what happened."""
