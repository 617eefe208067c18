"""Forward-only changes of the planner's database, in order of their names."""
