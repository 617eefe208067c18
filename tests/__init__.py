"""Tests, from one function to the whole system under fire."""
