"""Where the outside comes in: messages, ticks, requests."""
