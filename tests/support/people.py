"""Builders of people for the user service's tests."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from services.user.domain.errors import Invalid
from services.user.domain.person import Person, register_person
from services.user.domain.profile import Profile, Rules, parse_profile

NOW = datetime(2026, 6, 14, 12, 0, tzinfo=UTC)
KINDS = frozenset({"birthday", "anniversary"})
RULES = Rules(today=date(2026, 6, 14), kinds=KINDS)


def a_document(**fields: Any) -> dict[str, Any]:
    """Return a valid document, its e-mail address its own, changed by ``fields``."""
    return {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": f"ada-{uuid4().hex[:12]}@example.com",
        "timezone": "Europe/London",
        **fields,
    }


def a_profile(**fields: Any) -> Profile:
    """Return a valid profile."""
    profile = parse_profile(a_document(**fields), RULES)
    if isinstance(profile, Invalid):
        raise TypeError(str(profile.errors))
    return profile


def a_person(*, now: datetime = NOW, person_id: UUID | None = None, **fields: Any) -> Person:
    """Return a person as registered at ``now``."""
    after = register_person(person_id or uuid4(), a_profile(**fields), now).after
    if not isinstance(after, Person):
        raise TypeError("a registration gives a person")
    return after
