"""Short forms of the use cases, and looks into the tables."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from contracts import codec
from contracts.envelope import Event
from libs.ids import new_id
from services.user.adapters.registering import Registrations
from services.user.adapters.store import Origin, Store
from services.user.app.register import register
from services.user.domain.person import Person
from tests.support.people import NOW, RULES, a_document

ORIGIN = Origin(caller="tests")


def keyed(key: str | None = None, *, request: bytes = b"request", caller: str = "tests") -> Origin:
    """Return the origin of a request with an idempotency key."""
    return Origin(caller=caller, idempotency_key=key or uuid4().hex, request_hash=request)


async def registered(
    store: Store, *, origin: Origin = ORIGIN, now: datetime = NOW, **fields: Any
) -> Person:
    """Return a person just registered."""
    written = await register(
        Registrations(store),
        a_document(**fields),
        person_id=new_id(),
        rules=RULES,
        origin=origin,
        now=now,
    )
    assert isinstance(written.state, Person)
    return written.state


async def count(store: Store, table: str) -> int:
    """Return how many rows ``table`` has."""
    total: int = await store.pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
    return total


async def queued_events(store: Store) -> list[Event[Any]]:
    """Return what waits in the outbox, in order."""
    rows = await store.pool.fetch("SELECT routing_key, body FROM outbox ORDER BY position")
    return [
        event
        for row in rows
        for event in codec.decode(row["routing_key"], b"[" + row["body"] + b"]")
    ]


async def logged_types(store: Store, person_id: UUID) -> list[str]:
    """Return the types of a person's events, in order."""
    rows = await store.pool.fetch(
        "SELECT type FROM events WHERE stream_id = $1 ORDER BY version", person_id
    )
    return [row["type"] for row in rows]
