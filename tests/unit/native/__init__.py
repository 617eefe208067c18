"""The tool that starts servers and processes, without starting servers."""
