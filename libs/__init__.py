"""Our own building blocks, reusable, knowing no service and no contract."""
