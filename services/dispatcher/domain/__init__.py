"""What the dispatcher decides, without touching the world."""
