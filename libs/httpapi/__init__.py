"""What every HTTP API of ours has in common: problems, keys, limits, pages, documentation."""
