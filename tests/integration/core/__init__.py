"""Core libraries."""
