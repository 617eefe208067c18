"""What a person is and what may be done to one: pure decisions."""
