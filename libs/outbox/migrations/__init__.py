"""The outbox's tables: every publishing service applies them before its own."""
