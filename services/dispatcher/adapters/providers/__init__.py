"""Mail providers behind one interface."""
