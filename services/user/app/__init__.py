"""The use cases of the user service, one a file."""
