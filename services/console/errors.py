"""Why a command could not be done, as a sentence for whoever gave it."""


class CommandError(Exception):
    """The command line or a file it names cannot be used."""


class RefusedError(Exception):
    """A service said no; ``faults`` has a sentence per field or parameter."""

    def __init__(self, sentence: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.faults = faults


class UnreachableError(Exception):
    """A service did not answer, or stopped in the middle of its answer."""
