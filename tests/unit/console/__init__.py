"""What the console makes of files and answers."""
