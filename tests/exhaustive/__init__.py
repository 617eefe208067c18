"""Every case there is, not a choice of them: longer than ``make check`` may take."""
