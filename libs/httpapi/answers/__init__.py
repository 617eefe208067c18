"""Answers that are given again to whoever repeats a request under its ``Idempotency-Key``."""
