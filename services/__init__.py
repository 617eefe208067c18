"""The services; each owns its database, its queues and its processes."""
