"""The one way this tool gives up: a sentence for the person at the terminal."""


class CannotContinueError(Exception):
    """Nothing more can be done here; the text is one sentence that names the ways out."""
