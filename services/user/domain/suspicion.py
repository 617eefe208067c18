"""Values that are valid one by one and suspicious in numbers."""

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
