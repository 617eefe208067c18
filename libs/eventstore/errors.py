"""What can go wrong when events are appended."""


class WrongExpectedVersionError(Exception):
    """Someone else appended to the stream first; load it again and decide again."""

    def __init__(self, stream: str, expected_version: int) -> None:
        super().__init__(f"{stream} is no longer at version {expected_version}")
        self.stream = stream
        self.expected_version = expected_version
