"""The crash points: each process killed exactly there, on real servers."""
