"""What the planner does, one use case per file: load, decide, write in one transaction."""
