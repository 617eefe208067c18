"""What the dispatcher decides and writes, without servers."""
