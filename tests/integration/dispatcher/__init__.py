"""The dispatcher on real servers."""
