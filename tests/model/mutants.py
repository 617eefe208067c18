"""Faults sown into the product, one at a time, each of which breaks the promise somewhere."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

import msgspec

from libs.localtime import instant_at
from libs.outbox import relay
from libs.postgres.statements import Statements
from libs.postgres.types import Connection
from services.dispatcher.adapters import contacts
from services.dispatcher.adapters.sql import SQL as DISPATCHER
from services.dispatcher.app import deliver_requests
from services.dispatcher.domain.delivery import Deferred, Result, Unknown
from services.planner.adapters.sql import SQL as PLANNER
from services.planner.app import judging, projecting, rebuilding
from services.planner.domain import decision, falling
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence.yearly import Yearly
from tests.model import system
from tests.model.oracle import LONG_BEFORE

Change = tuple[Statements, str, str, str]
Sown = Callable[[], AbstractContextManager[None]]


class Mutant(msgspec.Struct, frozen=True):
    """A fault: its name, and how to sow it for as long as a context lasts."""

    name: str
    sow: Sown


def sql(*changes: Change) -> Sown:
    """Return what replaces texts in statements: (statements, name, old, new)."""

    @contextmanager
    def sow() -> Iterator[None]:
        kept = [(one._texts, name, one._texts[name]) for one, name, _, _ in changes]
        try:
            for one, name, old, new in changes:
                assert old in one._texts[name], f"{name}.sql does not say {old!r} any more"
                one._texts[name] = one._texts[name].replace(old, new)
            yield
        finally:
            for texts, name, text in reversed(kept):
                texts[name] = text

    return sow


def code(owners: object, name: str, changed: Callable[[Any], Any]) -> Sown:
    """Return what puts ``changed(attribute)`` in an attribute's place, wherever it is known."""

    @contextmanager
    def sow() -> Iterator[None]:
        known = owners if isinstance(owners, tuple) else (owners,)
        kept = [getattr(one, name) for one in known]
        try:
            for one, former in zip(known, kept, strict=True):
                setattr(one, name, changed(former))
            yield
        finally:
            for one, former in zip(known, kept, strict=True):
                setattr(one, name, former)

    return sow


def _without(condition: str) -> Change:
    """Return what leaves a condition of the claim out."""
    return DISPATCHER, "claim_requests", f"WHEN {condition}", f"WHEN FALSE AND {condition}"


def _due_by_winter_time(_: Any) -> Any:
    def due_instant(local_day: date, wall_time: time, zone: str) -> datetime:
        new_year = local_day.replace(month=1, day=1)
        return instant_at(new_year, wall_time, zone) + (local_day - new_year)

    return due_instant


def _forgetting_who_left(project: Any) -> Any:
    async def project_contacts(connection: Connection, told: Any) -> None:
        await project(connection, told)
        await connection.execute("DELETE FROM contacts WHERE state <> 'active'")

    return project_contacts


def _knowing_everyone_anew(lock: Any) -> Any:
    async def lock_recipients(connection: Connection, people: Any) -> dict[UUID, Recipient]:
        known = await lock(connection, people)
        return {one: msgspec.structs.replace(person, version=0) for one, person in known.items()}

    return lock_recipients


def _taking_silence_for_failure(send: Any) -> Any:
    async def send_claims(courier: Any, claimed: Any) -> list[Result]:
        results = await send(courier, claimed)
        return [Deferred("timed_out") if isinstance(one, Unknown) else one for one in results]

    return send_claims


def _ticking_off_unconfirmed(publish: Any) -> Any:
    async def publish_all(self: Any, messages: Any) -> Any:
        await publish(self, messages)
        return [position for message in messages for position in message.positions], []

    return publish_all


def _acknowledging_first(_: Any) -> Any:
    async def deliver(self: Any, queue: str, place: int, *, is_kept: bool = False) -> None:
        message = self.broker.queues[queue].pop(place)
        if is_kept:
            self.broker.queues[queue].append(message)
        await self.handlers[queue](self.broker.delivery(queue, message))

    return deliver


def _clearing_first(note: Any) -> Any:
    async def note_doubtful(connection: Connection) -> None:
        await note(connection)
        await connection.execute("DELETE FROM recipients")

    return note_doubtful


NEVER_HELD = "WHERE greeted.holder_day IS NULL"
COUNTED = "AND plan.state <> 'accepted'"

MUTANTS = [
    Mutant(
        "a second mail in a period is not refused",
        sql(
            _without("holder.holder_day IS NOT NULL"),
            (DISPATCHER, "claim_requests", NEVER_HELD, "WHERE TRUE"),
        ),
    ),
    Mutant(
        "periods are days",
        code(Yearly, "period_of", lambda _: lambda _, day: day),
    ),
    Mutant(
        "the claim ignores the schedule's version",
        sql(_without("contact.schedule_version > asked.person_version")),
    ),
    Mutant(
        "the claim takes contacts that are behind",
        sql(
            (
                DISPATCHER,
                "claim_requests",
                "OR contact.version < asked.person_version",
                "OR FALSE",
            )
        ),
    ),
    Mutant("the claim ignores opt-outs", sql(_without("asked.kind = ANY (contact.opt_outs)"))),
    Mutant("the claim ignores unsubscribes", sql(_without("unsubscribe.kind IS NOT NULL"))),
    Mutant("the claim ignores suppressions", sql(_without("suppression.address IS NOT NULL"))),
    Mutant("the claim ignores pauses", sql(_without("pause.is_there"))),
    Mutant("the claim ignores cancellations", sql(_without("cancellation.is_there"))),
    Mutant("the claim ignores the late limit", sql(_without("$9 > asked.expires_at"))),
    Mutant(
        "released and claimed an hour early",
        sql(
            (
                PLANNER,
                "release_due",
                "release_at <= $1",
                "release_at <= $1::timestamptz + '1 hour'::interval",
            ),
            (
                PLANNER,
                "list_next_releases",
                "SELECT plan.release_at\n",
                "SELECT plan.release_at - '1 hour'::interval AS release_at\n",
            ),
            _without("$9 < asked.due_at"),
        ),
    ),
    Mutant(
        "contacts take any version",
        sql((DISPATCHER, "project_contacts", "WHERE excluded.version > contacts.version", "")),
    ),
    Mutant(
        "recipients take any version",
        code(projecting, "lock_recipients", _knowing_everyone_anew),
    ),
    Mutant(
        "who left is forgotten instead of remembered",
        code(contacts, "project_contacts", _forgetting_who_left),
    ),
    Mutant(
        "clocks never change for summer",
        code((falling, decision), "due_instant", _due_by_winter_time),
    ),
    Mutant(
        "what was known too late is owed",
        code(Recipient, "since", lambda _: lambda *_: LONG_BEFORE),
    ),
    Mutant(
        "what was owed in a zone left is not owed",
        code(Recipient, "zones_since", lambda _: lambda self, _: [self.zone]),
    ),
    Mutant(
        "a time-out counts as failure",
        code(deliver_requests, "send_claims", _taking_silence_for_failure),
    ),
    Mutant(
        "lost outcomes are never found",
        sql((DISPATCHER, "record_lapsed", "claim.lease_until < clock_timestamp()", "FALSE")),
    ),
    Mutant(
        "an unknown outcome frees its period",
        sql(
            (
                DISPATCHER,
                "record_outcomes",
                "('refused', 'deferred', 'suppressed')",
                "('refused', 'deferred', 'suppressed', 'unknown')",
            ),
        ),
    ),
    Mutant(
        "an answer counts for any release",
        sql(
            (PLANNER, "settle", "outcome.release > plan.release", "TRUE"),
            (PLANNER, "settle", COUNTED, ""),
        ),
    ),
    Mutant(
        "mails taken are forgotten unless the row waits for them",
        sql((PLANNER, "accept", "AND plan.state <> 'accepted'", "AND plan.state = 'released'")),
    ),
    Mutant(
        "days close over what is pending",
        sql(
            (PLANNER, "close_day", "plan.state IN ('waiting', 'deferred')", "FALSE"),
            (PLANNER, "close_day", "plan.state = 'released'", "FALSE"),
        ),
    ),
    Mutant(
        "what came back is not planned again",
        sql((PLANNER, "plan_owed", "planned.state = 'suppressed'", "FALSE")),
    ),
    Mutant(
        "a cancelled row blocks its day",
        sql((PLANNER, "plan_owed", "'waiting', 'deferred', 'cancelled'", "'waiting', 'deferred'")),
    ),
    Mutant(
        "a row keeps the instant it was planned for",
        code(judging, "reschedule", lambda _: lambda *_: None),
    ),
    Mutant(
        "the relay moves on without confirms",
        code(relay.Relay, "_publish", _ticking_off_unconfirmed),
    ),
    Mutant("messages are acknowledged first", code(system.System, "deliver", _acknowledging_first)),
    Mutant(
        "a rebuild clears its tables first",
        code(rebuilding, "note_doubtful", _clearing_first),
    ),
]
