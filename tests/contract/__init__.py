"""The published contracts are what the code speaks."""
