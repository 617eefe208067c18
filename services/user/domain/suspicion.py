"""What one line of a file cannot show: values repeated, or suspicious in numbers."""

from services.user.domain.emails import key_of
from services.user.domain.errors import FieldError
from services.user.domain.profile import Profile

EPOCH = "1970-01-01"
EPOCHS_UNREMARKED = 10
"""Birthdays on the epoch one import may hold before the next ones are remarked on."""


class EpochWatch:
    """Counts the birthdays of one import that look like a system's zero date."""

    def __init__(self) -> None:
        self._seen = 0

    def warnings(self, profile: Profile) -> tuple[FieldError, ...]:
        """Return a warning where ``profile`` is one too many born on 1970-01-01."""
        if profile.birthday != EPOCH:
            return ()
        self._seen += 1
        if self._seen <= EPOCHS_UNREMARKED:
            return ()
        detail = f"{self._seen} people of this import were born on {EPOCH}: a default value?"
        return (FieldError("/birthday", "suspicious_default", detail),)


REMEMBERED = 100_000
"""Lines of a dry run that later ones are compared with; a registration compares with all."""


class RepetitionWatch:
    """Finds the lines of a dry run that would lose to an earlier one."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int], int] = {}

    def look(self, line: int, profile: Profile) -> tuple[FieldError, ...]:
        """Return which fields of ``profile`` an earlier line has already, and remember it."""
        given = {"email": key_of(profile.email), "external_id": profile.external_id}
        marks = {name: (name, hash(text)) for name, text in given.items() if text is not None}
        repeated = {name: self._lines[mark] for name, mark in marks.items() if mark in self._lines}
        if not repeated and len(self._lines) < REMEMBERED * len(given):
            self._lines |= dict.fromkeys(marks.values(), line)
        return tuple(
            FieldError(f"/{name}", f"{name}_taken", f"is the same as on line {earlier}")
            for name, earlier in repeated.items()
        )
