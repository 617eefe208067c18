"""The table of rate limits: every service that has an API applies it."""
