"""Registers people by the thousand: one statement per batch, one outcome per line."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from services.user.adapters.metrics import IMPORT_LINES
from services.user.adapters.reading import Bearers, list_registrations, match_people
from services.user.adapters.registering import append_registrations
from services.user.adapters.store import Origin, Store, UnavailableError
from services.user.domain.emails import key_of
from services.user.domain.errors import FieldError, Invalid
from services.user.domain.person import Person, register_person
from services.user.domain.profile import Profile, Rules, parse_profile
from services.user.domain.suspicion import EpochWatch, RepetitionWatch

# A line that lost a race is decided in the next round at the latest, unless it loses another; one
# whose external id an earlier line bears waits for what becomes of that, but for one round only.
_ROUNDS = 4


PASSED_OVER = frozenset({"id", "version", "created_at", "changed_at", "problem"})
"""Fields of our own exports and of rejected rows, which say nothing that could be set."""


class Line(msgspec.Struct, frozen=True):
    """One line of the input: a document, or why it is none."""

    number: int
    document: dict[str, Any] | FieldError


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one line.

    ``unchanged``: exactly this person is registered already. ``exists``: this line registered a
    person who has been changed since. So sending a file again is safe. ``valid``: a dry run found
    nothing against it.
    """

    line: int
    status: Literal["created", "unchanged", "exists", "failed", "valid"]
    id: UUID | None = None
    version: int | None = None
    errors: tuple[FieldError, ...] = ()
    warnings: tuple[FieldError, ...] = ()


class Candidate(msgspec.Struct, frozen=True):
    """A line that breaks no field rule."""

    line: int
    profile: Profile
    warnings: tuple[FieldError, ...]


class Batch(msgspec.Struct, frozen=True):
    """Lines as far as they can be judged without the database."""

    candidates: list[Candidate]
    refused: list[Outcome]


class PeopleImport:
    """One import from its first line to its last.

    It remembers little of each line, and of few of them, so its size has no bound. A crash leaves
    whole batches registered; the same lines sent again come out ``unchanged`` or ``exists``.
    """

    def __init__(
        self, store: Store, *, origin: Origin, new_id: Callable[[], UUID], is_dry_run: bool
    ) -> None:
        self._store = store
        self._origin = origin
        self._new_id = new_id
        self._is_dry_run = is_dry_run
        self._turn = asyncio.Lock()
        self._epochs = EpochWatch()
        self._repetitions = RepetitionWatch()

    def read(self, lines: Sequence[Line], rules: Rules) -> Batch:
        """Return what ``lines`` say, judged by the field rules."""
        parsed = [self._parse(line, rules) for line in lines]
        return Batch(
            [one for one in parsed if isinstance(one, Candidate)],
            [one for one in parsed if isinstance(one, Outcome)],
        )

    async def take(self, batch: Batch, *, now: datetime) -> list[Outcome]:
        """Register the people in ``batch`` and return an outcome for each line, in their order.

        The next batch may be taken meanwhile: it is registered after this one. While the database
        is away the lines come out ``failed`` as ``unavailable``.
        """
        try:
            decided = await self._decide(batch.candidates, now)
        except UnavailableError:
            decided = [_failed(one, _UNAVAILABLE) for one in batch.candidates]
        outcomes = sorted([*batch.refused, *decided], key=lambda outcome: outcome.line)
        for status, lines in Counter(outcome.status for outcome in outcomes).items():
            IMPORT_LINES.add(lines, status=status)
        return outcomes

    def _parse(self, line: Line, rules: Rules) -> Candidate | Outcome:
        if isinstance(line.document, FieldError):
            return Outcome(line.number, "failed", errors=(line.document,))
        profile = parse_profile(_settable(line.document), rules)
        if isinstance(profile, Invalid):
            return Outcome(line.number, "failed", errors=profile.errors)
        return Candidate(line.number, profile, self._epochs.warnings(profile))

    async def _decide(self, candidates: Sequence[Candidate], now: datetime) -> list[Outcome]:
        if not candidates:
            return []
        if self._is_dry_run:
            return await self._judge(candidates)
        return await self._register(candidates, now)

    async def _register(self, candidates: Sequence[Candidate], now: datetime) -> list[Outcome]:
        outcomes: list[Outcome] = []
        losers: list[Candidate] = []
        open_ones, put_off = _first_bearers(candidates)
        for _ in range(_ROUNDS):
            if not open_ones:
                break
            changes = [register_person(self._new_id(), one.profile, now) for one in open_ones]
            verdicts = await append_registrations(
                self._store, changes, origin=self._origin, now=now, turn=self._turn
            )
            contended: list[Candidate] = []
            for candidate, change, verdict in zip(open_ones, changes, verdicts, strict=True):
                if verdict.has_won:
                    outcomes.append(_created(candidate, change.after.id))
                else:
                    (contended if verdict.is_contended else losers).append(candidate)
            open_ones, put_off = contended + put_off, []
        return outcomes + await self._judge(losers) + [_failed(one, _BUSY) for one in open_ones]

    async def _judge(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Compare candidates with the living people who bear their addresses and external ids."""
        if not candidates:
            return []
        keys = [key_of(one.profile.email) for one in candidates]
        external_ids = [one.profile.external_id for one in candidates]
        found = await match_people(self._store, keys, external_ids)
        changed = [there.id for bearers in found if (there := bearers.only) and there.version > 1]
        registered = await list_registrations(self._store, changed) if changed else {}
        return [
            self._compared(candidate, bearers, registered)
            for candidate, bearers in zip(candidates, found, strict=True)
        ]

    def _compared(
        self, candidate: Candidate, bearers: Bearers, registered: Mapping[UUID, Person]
    ) -> Outcome:
        there = bearers.only
        if there is not None and there.profile == candidate.profile:
            return _known(candidate, "unchanged", there)
        if there is not None and _profile_of(registered.get(there.id)) == candidate.profile:
            return _known(candidate, "exists", there)
        errors = _taken(bearers)
        if self._is_dry_run and not errors:
            errors = self._repetitions.look(candidate.line, candidate.profile)
        return _failed(candidate, *errors) if errors else _valid(candidate)


def _settable(document: dict[str, Any]) -> dict[str, Any]:
    if PASSED_OVER.isdisjoint(document):
        return document
    return {name: value for name, value in document.items() if name not in PASSED_OVER}


def _first_bearers(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """Return the first candidate of every external id, and those that repeat one."""
    seen: set[str] = set()
    first: list[Candidate] = []
    repeating: list[Candidate] = []
    for one in candidates:
        external_id = one.profile.external_id
        (repeating if external_id in seen else first).append(one)
        if external_id is not None:
            seen.add(external_id)
    return first, repeating


_UNAVAILABLE = FieldError("", "unavailable", "the database is away: send this line again")
_BUSY = FieldError("", "contended", "others are writing the same: send this line again")


def _created(candidate: Candidate, person_id: UUID) -> Outcome:
    return Outcome(candidate.line, "created", person_id, 1, warnings=candidate.warnings)


def _failed(candidate: Candidate, *errors: FieldError) -> Outcome:
    return Outcome(candidate.line, "failed", errors=errors, warnings=candidate.warnings)


def _known(candidate: Candidate, status: Literal["unchanged", "exists"], there: Person) -> Outcome:
    return Outcome(candidate.line, status, there.id, there.version, warnings=candidate.warnings)


def _valid(candidate: Candidate) -> Outcome:
    return Outcome(candidate.line, "valid", warnings=candidate.warnings)


def _profile_of(person: Person | None) -> Profile | None:
    return None if person is None else person.profile


def _taken(bearers: Bearers) -> tuple[FieldError, ...]:
    taken = (("email", bearers.by_email), ("external_id", bearers.by_external_id))
    return tuple(
        FieldError(f"/{name}", f"{name}_taken", _TAKEN)
        for name, bearer in taken
        if bearer is not None
    )


_TAKEN = "belongs to somebody who is registered already, with other data"
