"""The table of remembered answers: services that have no table of their own for it apply it."""
