"""How the dispatcher speaks to its tables and to mail providers."""
