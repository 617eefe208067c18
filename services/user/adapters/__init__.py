"""The tables of the user service, and the shape in which its events are published."""
