"""What the dispatcher does: one use case a file."""
