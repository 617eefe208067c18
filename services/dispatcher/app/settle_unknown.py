"""Finds attempts that lost their outcome, and finds out what became of them."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from libs import outbox
from libs.ids import occurrence_key
from libs.postgres.types import Connection, Pool
from libs.resilience import repeating
from services.dispatcher.adapters import delivery_doubts, delivery_outcomes
from services.dispatcher.adapters.delivery_doubts import Unsettled
from services.dispatcher.adapters.messages import messages
from services.dispatcher.adapters.metrics import FAILED_LOOKUPS, LAPSED_CLAIMS, OUTCOMES_RECORDED
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing
from services.dispatcher.app.courier import Courier
from services.dispatcher.domain.delivery import SETTLEMENT, DeliveryEvent

logger = logging.getLogger(__name__)

LAPSED_AT_ONCE = 20
"""Claims, each of up to 500 attempts, taken up in one transaction."""
SETTLED_AT_ONCE = 500
_LOOKUPS_AT_ONCE = 16
_REPEATED_WITHIN_S = 10.0


async def record_lapsed_claims(pool: Pool, *, now: datetime) -> int:
    """Record as unknown what a dead or frozen process left open, and tell; return how many.

    The events and their publication are one transaction. Whoever still works on such an attempt
    will find the outcome recorded and settle it with what it knows.
    """
    async with pool.acquire() as connection:
        if not await delivery_doubts.is_any_lapsed(connection):
            return 0
        return await _record_lapsed(connection, now=now)


async def _record_lapsed(connection: Connection, *, now: datetime) -> int:
    async with connection.transaction():
        lapsed = await delivery_doubts.record_lapsed(connection, now=now, limit=LAPSED_AT_ONCE)
        await outbox.put(connection, messages(lapsed, now=now))
    for event in lapsed:
        logger.warning(
            "claim.lapsed", extra={"occurrence": event.occurrence, "release": event.release}
        )
    LAPSED_CLAIMS.add(len(lapsed))
    OUTCOMES_RECORDED.add(len(lapsed), outcome="unknown")
    return len(lapsed)


async def settle_unknown(courier: Courier) -> int:
    """Settle what can be settled by now and return how many were.

    The provider is asked where it can be, and its "never saw it" counts, because it is asked only
    after the lease, the longest call and its own delay have passed. One that takes no second mail
    under one key is sent the same mail again while the key lives. Otherwise the kind's promise
    decides: send again, or leave it to an operator.
    """
    now = courier.clock.now()
    unsettled = await _list_unsettled(courier, now)
    settlements = await _settlements(courier, unsettled, now)
    if not settlements:
        return 0
    recorded = await repeating(
        lambda: record_settlements(courier.pool, settlements, now=now),
        within_s=_REPEATED_WITHIN_S,
    )
    return len(recorded)


async def record_settlements(
    pool: Pool, settlements: Sequence[DeliveryEvent], *, now: datetime
) -> list[DeliveryEvent]:
    """Record settlements and queue them for publication, in one transaction; return the new ones.

    What was settled meanwhile, by a late outcome, another process or an operator, stays so.
    """
    async with pool.acquire() as connection, connection.transaction():
        there = await delivery_outcomes.record_settlements(connection, settlements, now=now)
        recorded = [settlement for settlement in settlements if settlement.key in there]
        await outbox.put(connection, messages(recorded, now=now))
    for settlement in recorded:
        OUTCOMES_RECORDED.add(outcome=settlement.type)
        logger.info(
            "unknown.settled",
            extra={
                "occurrence": settlement.occurrence,
                "release": settlement.release,
                "outcome": settlement.type,
                "reason": settlement.reason,
            },
        )
    return recorded


async def _list_unsettled(courier: Courier, now: datetime) -> list[Unsettled]:
    traits = courier.provider.traits
    sent_again = [name for name, kind in courier.kinds.items() if kind.promise == "at_least_once"]
    async with courier.pool.acquire() as connection:
        if not await delivery_doubts.is_any_unknown(connection, now=now):
            return []
        return await delivery_doubts.list_unsettled(
            connection,
            now=now,
            provider=traits.name if traits.can_find else None,
            kinds_sent_again=sent_again,
            grace_s=traits.timeout_s + traits.lookup_delay_s,
            repeating=traits.name if traits.keys_live_s else None,
            repeatable_s=courier.repeatable_s,
            limit=SETTLED_AT_ONCE,
        )


async def _settlements(
    courier: Courier, unsettled: Sequence[Unsettled], now: datetime
) -> list[DeliveryEvent]:
    """Ask about a few at a time, and no further once the provider answers none of them."""
    settlements: list[DeliveryEvent] = []
    for start in range(0, len(unsettled), _LOOKUPS_AT_ONCE):
        some = unsettled[start : start + _LOOKUPS_AT_ONCE]
        answers = await asyncio.gather(*(_settlement(courier, one, now) for one in some))
        known = [answer for answer in answers if answer is not None]
        settlements += known
        if not known:
            break
    return settlements


async def _settlement(
    courier: Courier, unsettled: Unsettled, now: datetime
) -> DeliveryEvent | None:
    """Return what the provider or the kind's promise makes of it, None for "ask again later"."""
    if not unsettled.can_be_asked:
        reason = "repeated" if unsettled.can_be_repeated else "sent_again"
        return _deferred(courier, unsettled, now, reason=reason)
    occurrence = occurrence_key(unsettled.local_day, unsettled.person_id, unsettled.kind)
    try:
        answer = await courier.provider.find(
            occurrence=occurrence, message_id=courier.greetings.message_id(occurrence)
        )
    except FindError as error:
        FAILED_LOOKUPS.add()
        logger.warning("lookup.failed", extra={"occurrence": occurrence, "cause": str(error)})
        return None
    match answer:
        case Found(message_id):
            return _accepted(unsettled, now, message_id)
        case Missing():
            return _deferred(courier, unsettled, now, reason="never_arrived")


def _accepted(unsettled: Unsettled, now: datetime, message_id: str) -> DeliveryEvent:
    return DeliveryEvent(
        local_day=unsettled.local_day,
        person_id=unsettled.person_id,
        kind=unsettled.kind,
        release=unsettled.release,
        step=SETTLEMENT,
        type="accepted",
        period=unsettled.period,
        recorded_at=now,
        due_at=unsettled.due_at,
        provider=unsettled.provider,
        message_id=message_id,
    )


def _deferred(
    courier: Courier, unsettled: Unsettled, now: datetime, *, reason: str
) -> DeliveryEvent:
    return DeliveryEvent(
        local_day=unsettled.local_day,
        person_id=unsettled.person_id,
        kind=unsettled.kind,
        release=unsettled.release,
        step=SETTLEMENT,
        type="deferred",
        reason=reason,
        period=unsettled.period,
        recorded_at=now,
        retry_at=courier.retry_at(now, attempts=unsettled.attempts - 1),
        provider=unsettled.provider,
    )
