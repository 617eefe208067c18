"""Real servers and processes, started and stopped."""
