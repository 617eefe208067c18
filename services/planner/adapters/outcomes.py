"""Table ``plan``: what became of releases. Each function says how many rows it changed."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from contracts.dispatch import (
    Delivery,
    DeliveryAccepted,
    DeliveryDeferred,
    DeliveryRefused,
    DeliveryReturned,
    DeliverySuppressed,
    DeliveryUnknown,
)
from libs.postgres.types import Connection
from services.planner.adapters.errors import refusals
from services.planner.adapters.plan import affected
from services.planner.adapters.sql import SQL
from services.planner.domain.planned import Planned

Settled = Literal["refused", "unknown", "suppressed"]
AnyDelivery = TypeVar("AnyDelivery", bound=Delivery)


async def accept(connection: Connection, outcomes: Sequence[DeliveryAccepted]) -> int:
    """Record that mails were taken: it wins over every other state."""
    last = newest(outcomes)
    return await _write(
        connection,
        SQL.accept,
        *_keys(last),
        [outcome.accepted_at for outcome in last],
        [outcome.message_id for outcome in last],
        sorted({outcome.local_day for outcome in last}),
    )


async def settle(
    connection: Connection,
    state: Settled,
    outcomes: Sequence[DeliveryRefused | DeliveryUnknown | DeliverySuppressed],
    *,
    now: datetime,
) -> int:
    """Record outcomes that end an occurrence, for now or for good."""
    last = newest(outcomes)
    reasons = [outcome.reason for outcome in last]
    return await _write(connection, SQL.settle, *_keys(last), reasons, state, now)


async def list_outrun(
    connection: Connection, suppressed: Sequence[DeliverySuppressed]
) -> list[tuple[date, UUID, str]]:
    """Return which of these occurrences ended by what their people did and have undone since."""
    days, people, kinds, _ = _keys(newest(suppressed))
    rows = await connection.fetch(SQL.list_outrun, days, people, kinds)
    return [(row["local_day"], row["person_id"], row["kind"]) for row in rows]


async def defer(connection: Connection, outcomes: Sequence[DeliveryDeferred]) -> int:
    """Make occurrences due again at their retry time. Needs ``lock_days_shared``."""
    last = newest(outcomes)
    return await _write(
        connection,
        SQL.defer,
        *_keys(last),
        [outcome.reason for outcome in last],
        [outcome.retry_at for outcome in last],
    )


async def lock_returned(
    connection: Connection, returned: Sequence[DeliveryReturned]
) -> list[Planned]:
    """Return the rows that wait for no other answer than this, and hold them.

    ``release`` of each is the returned one. Needs ``lock_days_shared``.
    """
    with refusals():
        rows = await connection.fetch(SQL.lock_returned, *_keys(newest(returned)))
    return [Planned(**row) for row in rows]


def newest(outcomes: Iterable[AnyDelivery]) -> list[AnyDelivery]:
    """Return the outcome of the highest release of each occurrence, in the order of row locks."""
    # By number: a UUID is hashed and compared in Python, and its number sorts alike.
    highest: dict[tuple[int, str, date], AnyDelivery] = {}
    for outcome in outcomes:
        key = (outcome.person_id.int, outcome.kind, outcome.local_day)
        known = highest.get(key)
        if known is None or outcome.release > known.release:
            highest[key] = outcome
    return [highest[key] for key in sorted(highest)]


async def _write(connection: Connection, statement: str, *arguments: Any) -> int:
    with refusals():
        return affected(await connection.execute(statement, *arguments))


def _keys(outcomes: Sequence[Delivery]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    return (
        [outcome.local_day for outcome in outcomes],
        [outcome.person_id for outcome in outcomes],
        [outcome.kind for outcome in outcomes],
        [outcome.release for outcome in outcomes],
    )
