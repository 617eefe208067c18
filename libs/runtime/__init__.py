"""How a process starts, works in loops, says how it is, and drains."""
