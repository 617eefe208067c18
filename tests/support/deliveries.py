"""Builders and a fake provider for tests about deliveries."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from contracts import codec, user_events
from contracts.dispatch import DispatchRequested
from contracts.envelope import Event, event
from libs.clock import monotonic_s
from libs.ids import new_id
from libs.postgres.types import Pool
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing, Traits
from services.dispatcher.domain.delivery import Accepted, Deferred, Result
from services.dispatcher.domain.greeting import Mail

TODAY = date(2026, 6, 14)
NINE = datetime(2026, 6, 14, 9, tzinfo=UTC)
PERIOD = date(2026, 1, 1)


def a_person(**changes: Any) -> user_events.UserRegistered:
    """Return a registered person, version 1, with a different id and address each time."""
    person_id = changes.pop("id", new_id())
    return user_events.UserRegistered(
        **{
            "id": person_id,
            "version": 1,
            "schedule_version": 1,
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": f"{person_id}@example.org",
            "timezone": "UTC",
            "locale": "en",
            "leap_day": "feb28",
            "active_since": NINE - timedelta(days=30),
            "birthday": "1990-06-14",
            **changes,
        }
    )


def told(data: Any, type_name: str = user_events.USER_REGISTERED) -> Event[Any]:
    """Return ``data`` in an envelope of ``type_name``."""
    return event(
        data,
        event_id=str(new_id()),
        type_name=type_name,
        source="/test",
        subject="test",
        time=NINE,
    )


def a_request(person_id: UUID, **changes: Any) -> DispatchRequested:
    """Return the request for a person's birthday mail today, due at nine."""
    return DispatchRequested(
        **{
            "local_day": TODAY,
            "person_id": person_id,
            "kind": "birthday",
            "release": 1,
            "period": PERIOD,
            "due_at": NINE,
            "expires_at": NINE + timedelta(hours=48),
            "person_version": 1,
            **changes,
        }
    )


async def published(pool: Pool) -> list[Event[Any]]:
    """Return every event in the outbox, in order."""
    rows = await pool.fetch("SELECT routing_key, body FROM outbox ORDER BY position")
    return [
        item for row in rows for item in codec.decode(row["routing_key"], b"[" + row["body"] + b"]")
    ]


async def steps(pool: Pool, person_id: UUID) -> list[tuple[int, int, str, str | None]]:
    """Return (release, step, type, reason) of everything recorded about a person."""
    rows = await pool.fetch(
        "SELECT release, step, type, reason FROM delivery_events WHERE person_id = $1"
        " ORDER BY local_day, kind, release, step",
        person_id,
    )
    return [tuple(row) for row in rows]


class FakeProvider:
    """A provider in memory. ``answer`` decides each mail's result; mails it accepts are kept."""

    def __init__(
        self, *, can_find: bool = True, timeout_s: float = 0.05, keys_live_s: float = 0.0
    ) -> None:
        self.traits = Traits(
            name="smtp", timeout_s=timeout_s, can_find=can_find, keys_live_s=keys_live_s
        )
        self.mails: list[Mail] = []
        self.calls = 0
        self.asked: list[str] = []
        self.is_answering = True
        self.answer: Callable[[Mail], Result] = lambda mail: Accepted(mail.message_id)
        self.before_call: Callable[[], Any] | None = None

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:
        """Answer every mail as ``answer`` says."""
        self.calls += 1
        if monotonic_s() >= start_before_s:
            return [Deferred("lease_short")] * len(mails)
        if self.before_call is not None:
            await self.before_call()
        results = [self.answer(mail) for mail in mails]
        self.mails += [
            mail
            for mail, result in zip(mails, results, strict=True)
            if isinstance(result, Accepted)
        ]
        return results

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        """Look among the mails that were accepted."""
        self.asked.append(occurrence)
        if not self.is_answering:
            raise FindError("the fake is silent")
        there = any(mail.occurrence == occurrence for mail in self.mails)
        return Found(message_id) if there else Missing()

    async def close(self) -> None:
        """Nothing to give back."""


def facts(data: Any) -> dict[str, Any]:
    """Return an event's data as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(data)
    return plain
