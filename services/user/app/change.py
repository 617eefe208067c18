"""Changes what is known of a person: in part (merge patch) or as a whole (replacement)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.user.adapters.store import Origin, Store
from services.user.app.deciding import write
from services.user.app.errors import DocumentRefusedError, PersonNotFoundError
from services.user.app.once import once
from services.user.app.written import Written
from services.user.domain.errors import Invalid
from services.user.domain.person import Change, Person, change_person
from services.user.domain.profile import Profile, Rules, merge_profile, parse_profile


async def change(
    store: Store,
    person_id: UUID,
    patch: Mapping[str, Any],
    *,
    rules: Rules,
    origin: Origin,
    now: datetime,
    if_match: frozenset[int] | None = None,
) -> Written:
    """Return the person with ``patch`` merged in (RFC 7396); fields it does not name stay.

    Raises:
        DocumentRefusedError: field rules are broken.
        and what ``write`` and ``once`` raise.
    """
    return await once(
        store,
        origin,
        lambda: write(
            store,
            person_id,
            _deciding(lambda profile: merge_profile(profile, patch, rules), now),
            origin=origin,
            now=now,
            if_match=if_match,
        ),
    )


async def replace(
    store: Store,
    person_id: UUID,
    document: Mapping[str, Any],
    *,
    rules: Rules,
    origin: Origin,
    now: datetime,
    if_match: frozenset[int] | None = None,
) -> Written:
    """Return the person as ``document`` describes them in full; what it leaves out is removed.

    Raises:
        DocumentRefusedError: field rules are broken.
        and what ``write`` and ``once`` raise.
    """
    parsed = _accepted(parse_profile(document, rules))
    return await once(
        store,
        origin,
        lambda: write(
            store,
            person_id,
            _deciding(lambda _: parsed, now),
            origin=origin,
            now=now,
            if_match=if_match,
        ),
    )


def _deciding(
    describe: Callable[[Profile], Profile | Invalid], now: datetime
) -> Callable[[Person], Change | None]:
    def decide(person: Person) -> Change | None:
        if person.status != "active":
            raise PersonNotFoundError(person.id)
        return change_person(person, _accepted(describe(person.profile)), now)

    return decide


def _accepted(profile: Profile | Invalid) -> Profile:
    if isinstance(profile, Invalid):
        raise DocumentRefusedError(profile.errors)
    return profile
