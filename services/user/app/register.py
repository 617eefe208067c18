"""Registers one person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.eventstore import WrongExpectedVersionError
from services.user.adapters.registering import Registrations
from services.user.adapters.store import Origin
from services.user.app.deciding import decide_again, taken
from services.user.app.errors import DocumentRefusedError
from services.user.app.once import once
from services.user.app.written import Written
from services.user.domain.errors import Invalid
from services.user.domain.person import Change, register_person
from services.user.domain.profile import Rules, parse_profile


async def register(
    registrations: Registrations,
    document: Mapping[str, Any],
    *,
    person_id: UUID,
    rules: Rules,
    origin: Origin,
    now: datetime,
) -> Written:
    """Return the new person that ``document`` describes, under ``person_id``.

    Raises:
        DocumentRefusedError: field rules are broken.
        TakenError: a living person bears the address or the external id.
        KeyReusedError, KeyInFlightError: from the idempotency key of ``origin``.
    """
    profile = parse_profile(document, rules)
    if isinstance(profile, Invalid):
        raise DocumentRefusedError(profile.errors)
    change = register_person(person_id, profile, now)
    return await once(
        registrations.store, origin, lambda: _append(registrations, change, origin, now)
    )


@decide_again
async def _append(
    registrations: Registrations, change: Change, origin: Origin, now: datetime
) -> Written:
    verdict = await registrations.append(change, origin=origin, now=now)
    if verdict.has_won:
        return Written(change.after)
    if verdict.is_contended:
        raise WrongExpectedVersionError(str(change.after.id), 0)
    raise taken(verdict)
