"""Measurements: what one machine does, in rates and in CPU per item."""
