"""Loads a person, decides, appends; when somebody was faster, looks and decides again."""

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import ParamSpec
from uuid import UUID

import tenacity

from libs.eventstore import WrongExpectedVersionError
from services.user.adapters.appending import Verdict, append_changes, append_erasure
from services.user.adapters.keys import record_key
from services.user.adapters.reading import Found, find_person
from services.user.adapters.store import Origin, Store
from services.user.app.errors import (
    PersonNotFoundError,
    TakenError,
    VersionMismatchError,
)
from services.user.app.written import Written
from services.user.domain.person import Change, Person, Tombstone

Decision = Callable[[Person], Change | None]
"""What to make of a person; None where nothing is to be changed. It may raise to refuse."""

Parameters = ParamSpec("Parameters")

_again = tenacity.retry(
    retry=tenacity.retry_if_exception_type(WrongExpectedVersionError),
    wait=tenacity.wait_random(0, 0.05),
    stop=tenacity.stop_after_attempt(19),
    reraise=True,
)


def decide_again(
    write: Callable[Parameters, Awaitable[Written]],
) -> Callable[Parameters, Awaitable[Written]]:
    """Repeat ``write`` for whoever lost a race without a reason: bounded, a little apart.

    Hardly anybody loses, so the policy, which costs a twentieth of a request, comes in only then.
    """
    repeated = _again(write)

    @functools.wraps(write)
    async def decide(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Written:
        try:
            return await write(*args, **kwargs)
        except WrongExpectedVersionError:
            return await repeated(*args, **kwargs)

    return decide


@decide_again
async def write(
    store: Store,
    person_id: UUID,
    decide: Decision,
    *,
    origin: Origin,
    now: datetime,
    if_match: frozenset[int] | None = None,
) -> Written:
    """Return the state after what ``decide`` makes of the person.

    ``if_match`` are the versions the client accepts to change; None accepts any.

    Raises:
        PersonNotFoundError: nobody bears the id, or only a tombstone does.
        VersionMismatchError: the present version is not among ``if_match``.
        TakenError: another living person bears the new address or external id.
        KeyInFlightError, KeyTakenError: from the idempotency key of ``origin``.
    """
    found = await find_person(store, person_id)
    if found is None or isinstance(found, Tombstone):
        raise PersonNotFoundError(person_id)
    if if_match is not None and found.person.version not in if_match:
        raise VersionMismatchError(person_id, found.person.version)
    change = decide(found.person)
    if change is None:
        return await _unchanged(store, found.person, origin)
    verdict = await _append(store, change, found, origin, now)
    if not verdict.has_won:
        raise _refusal(verdict, change)
    return Written(change.after)


async def _append(
    store: Store, change: Change, found: Found, origin: Origin, now: datetime
) -> Verdict:
    if isinstance(change.after, Tombstone):
        return await append_erasure(store, change, origin=origin, now=now)
    verdicts = await append_changes(store, [(change, found.key)], origin=origin, now=now)
    return verdicts[0]


async def _unchanged(store: Store, person: Person, origin: Origin) -> Written:
    """Return the person as they are; the key is remembered, so that a repetition stays harmless."""
    if origin.idempotency_key is not None:
        await record_key(store, origin, person.id, version=person.version)
    return Written(person)


def _refusal(verdict: Verdict, change: Change) -> Exception:
    if verdict.is_contended:
        return WrongExpectedVersionError(str(change.after.id), change.expected_version)
    return taken(verdict)


def taken(verdict: Verdict) -> TakenError:
    """Return which fields made the change lose."""
    fields = (("email", verdict.is_email_taken), ("external_id", verdict.is_external_id_taken))
    return TakenError(tuple(name for name, is_taken in fields if is_taken))
