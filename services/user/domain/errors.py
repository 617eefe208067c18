"""What is wrong with a document, field by field."""

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One fault: ``pointer`` is a JSON Pointer (RFC 6901), ``code`` a stable word.

    ``detail`` is a sentence for a person; it never repeats the value, which may be personal.
    """

    pointer: str
    code: str
    detail: str


class Invalid(msgspec.Struct, frozen=True):
    """The document is refused, for all of these reasons."""

    errors: tuple[FieldError, ...]


class FieldRefusedError(Exception):
    """The value of one field breaks a rule; ``within`` points into the value, if it is a list."""

    def __init__(self, code: str, detail: str, *, within: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.within = within

    def at(self, pointer: str) -> FieldError:
        """Return the fault as seen from the document that holds the value at ``pointer``."""
        return FieldError(pointer + self.within, self.code, self.detail)


def pointer_to(name: str) -> str:
    """Return the JSON Pointer of the member ``name``."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
