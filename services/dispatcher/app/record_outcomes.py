"""Records what became of claims and tells the world."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from libs import outbox
from libs.postgres.types import Connection
from libs.resilience import repeating
from libs.telemetry.metrics import timed
from services.dispatcher.adapters import delivery_outcomes
from services.dispatcher.adapters.delivery_cases import OpposedError
from services.dispatcher.adapters.messages import accepted_messages, messages
from services.dispatcher.adapters.metrics import (
    LATE_OUTCOMES,
    LATENESS_SECONDS,
    OUTCOMES_RECORDED,
    RECORD_SECONDS,
)
from services.dispatcher.app.claim_requests import Claimed
from services.dispatcher.app.courier import Courier
from services.dispatcher.domain.delivery import (
    OUTCOME,
    OUTCOME_TYPES,
    SETTLEMENT,
    Accepted,
    AcceptedMail,
    Claim,
    Deferred,
    DeliveryEvent,
    Result,
    storable_answer,
    storable_id,
)

logger = logging.getLogger(__name__)

REPEATED_WITHIN_S = 60.0
"""What a provider said is worth a minute of trying: forgotten it becomes an unknown outcome."""


async def record_outcomes(courier: Courier, claimed: Claimed, results: Sequence[Result]) -> None:
    """Record one outcome per claim and queue it for publication, in one transaction.

    An outcome that comes after its attempt was already called unknown becomes the settlement; one
    that comes even later changes nothing and is logged.
    """
    with timed(RECORD_SECONDS):
        now = courier.clock.now()
        if not await _is_recorded_as_accepted(courier, claimed, results, now=now):
            await _record_one_by_one(courier, claimed, results, now=now)


async def _is_recorded_as_accepted(
    courier: Courier, claimed: Claimed, results: Sequence[Result], *, now: datetime
) -> bool:
    """Record as a whole what was accepted throughout; tell whether it was, and could be."""
    accepted = [
        AcceptedMail(claim.request, storable_id(result.message_id), claimed.text_of(claim).version)
        for claim, result in zip(claimed.claims, results, strict=True)
        if isinstance(result, Accepted)
    ]
    if len(accepted) < len(results):
        return False
    try:
        await repeating(
            lambda: _record_accepted(courier, accepted, claim_id=claimed.claim_id, now=now),
            within_s=REPEATED_WITHIN_S,
        )
    except OpposedError:
        return False
    _report_accepted(accepted, now)
    return True


async def _record_accepted(
    courier: Courier, accepted: Sequence[AcceptedMail], *, claim_id: UUID, now: datetime
) -> None:
    provider = courier.provider.traits.name
    async with courier.pool.acquire() as connection, connection.transaction():
        await delivery_outcomes.record_accepted(
            connection, accepted, now=now, claim_id=claim_id, provider=provider
        )
        await outbox.put(connection, accepted_messages(accepted, provider=provider, now=now))


async def _record_one_by_one(
    courier: Courier, claimed: Claimed, results: Sequence[Result], *, now: datetime
) -> None:
    outcomes = [
        _outcome(courier, claimed, claim, result, now)
        for claim, result in zip(claimed.claims, results, strict=True)
    ]
    recorded = await repeating(
        lambda: _record_each(courier, outcomes, claim_id=claimed.claim_id, now=now),
        within_s=REPEATED_WITHIN_S,
    )
    _report(outcomes, recorded)


async def _record_each(
    courier: Courier, outcomes: Sequence[DeliveryEvent], *, claim_id: UUID, now: datetime
) -> list[DeliveryEvent]:
    async with courier.pool.acquire() as connection, connection.transaction():
        there = await delivery_outcomes.record_outcomes(
            connection, outcomes, now=now, claim_id=claim_id
        )
        recorded = [outcome for outcome in outcomes if outcome.key in there]
        if len(recorded) < len(outcomes):
            late = [outcome for outcome in outcomes if outcome.key not in there]
            recorded += await _settle_late(connection, late, now=now)
        await outbox.put(connection, messages(recorded, now=now))
    return recorded


async def _settle_late(
    connection: Connection, late: Sequence[DeliveryEvent], *, now: datetime
) -> list[DeliveryEvent]:
    settlements = [
        replace(outcome, step=SETTLEMENT) for outcome in late if outcome.type != "unknown"
    ]
    if not settlements:
        return []
    there = await delivery_outcomes.record_settlements(connection, settlements, now=now)
    return [settlement for settlement in settlements if settlement.key in there]


def _outcome(
    courier: Courier, claimed: Claimed, claim: Claim, result: Result, now: datetime
) -> DeliveryEvent:
    request = claim.request
    return DeliveryEvent(
        local_day=request.local_day,
        person_id=request.person_id,
        kind=request.kind,
        release=request.release,
        step=OUTCOME,
        type=OUTCOME_TYPES[type(result)],
        period=request.period,
        recorded_at=now,
        provider=courier.provider.traits.name,
        template_version=claimed.text_of(claim).version,
        due_at=request.due_at if isinstance(result, Accepted) else None,
        message_id=storable_id(result.message_id) if isinstance(result, Accepted) else None,
        reason=None if isinstance(result, Accepted) else result.reason,
        answer=None if isinstance(result, Accepted) else storable_answer(result.answer),
        retry_at=_retry_at(courier, claim, result, now) if isinstance(result, Deferred) else None,
    )


def _retry_at(courier: Courier, claim: Claim, result: Deferred, now: datetime) -> datetime:
    return courier.retry_at(
        now,
        attempts=claim.attempts,
        pause_s=result.retry_after_s,
        expires_at=claim.request.expires_at,
    )


def _report_accepted(accepted: Sequence[AcceptedMail], now: datetime) -> None:
    LATENESS_SECONDS.observe_all((now - one.request.due_at).total_seconds() for one in accepted)
    OUTCOMES_RECORDED.add(len(accepted), outcome="accepted")
    logger.info("batch.recorded", extra={"accepted": len(accepted)})


def _report(outcomes: Sequence[DeliveryEvent], recorded: Sequence[DeliveryEvent]) -> None:
    """Count what was recorded; log the batch, and each mail that was not accepted."""
    LATENESS_SECONDS.observe_all(
        (outcome.recorded_at - outcome.due_at).total_seconds()
        for outcome in recorded
        if outcome.due_at is not None
    )
    for outcome in recorded:
        if outcome.due_at is None:
            logger.info("delivery.not_accepted", extra=_facts(outcome))
    counts = Counter([outcome.type for outcome in recorded])
    for outcome_type, events in counts.items():
        OUTCOMES_RECORDED.add(events, outcome=outcome_type)
    logger.info("batch.recorded", extra={str(name): events for name, events in counts.items()})
    if len(recorded) == len(outcomes):
        return
    there = {outcome.key for outcome in recorded}
    for outcome in outcomes:
        if outcome.key not in there:
            LATE_OUTCOMES.add(outcome=outcome.type)
            logger.error("outcome.too_late", extra=_facts(outcome))


def _facts(outcome: DeliveryEvent) -> dict[str, str | int | None]:
    return {
        "occurrence": outcome.occurrence,
        "release": outcome.release,
        "outcome": outcome.type,
        "reason": outcome.reason,
        "answer": outcome.answer,
    }
