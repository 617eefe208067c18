"""Decides what is owed to whom and when: pure functions and frozen structs."""
