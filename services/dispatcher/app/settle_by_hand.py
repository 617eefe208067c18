"""An operator decides what became of an unknown delivery."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from libs.ids import occurrence_key
from libs.postgres.types import Pool
from services.dispatcher.adapters.ledger import Step, list_story
from services.dispatcher.app.settle_unknown import record_settlements
from services.dispatcher.domain.delivery import CLAIM, OUTCOME, SETTLEMENT, DeliveryEvent
from services.dispatcher.domain.greeting import Greetings

Decision = Literal["accepted", "resend"]


class NotUnknownError(Exception):
    """There is no unknown outcome of this occurrence that waits to be settled."""


async def settle_by_hand(
    pool: Pool,
    greetings: Greetings,
    occurrence: tuple[date, UUID, str],
    decision: Decision,
    *,
    now: datetime,
) -> DeliveryEvent:
    """Record the operator's word as the settlement and publish it; return it.

    ``accepted`` closes the occurrence; ``resend`` has the planner release it once more.

    Raises:
        NotUnknownError: nothing is unknown about it, or somebody settled it meanwhile.
    """
    async with pool.acquire() as connection:
        story = await list_story(connection, *occurrence)
    claim = _open_claim(story)
    if claim is None:
        raise NotUnknownError
    settlement = _settlement(greetings, occurrence, claim, decision, now)
    if not await record_settlements(pool, [settlement], now=now):
        raise NotUnknownError
    return settlement


def _open_claim(story: list[Step]) -> Step | None:
    """Return the claim of the attempt whose outcome is unknown and not settled, if there is one."""
    unknown = {one.release for one in story if one.step == OUTCOME and one.type == "unknown"}
    unknown -= {one.release for one in story if one.step == SETTLEMENT}
    return next((one for one in story if one.step == CLAIM and one.release in unknown), None)


def _settlement(
    greetings: Greetings,
    occurrence: tuple[date, UUID, str],
    claim: Step,
    decision: Decision,
    now: datetime,
) -> DeliveryEvent:
    local_day, person_id, kind = occurrence
    is_accepted = decision == "accepted"
    return DeliveryEvent(
        local_day=local_day,
        person_id=person_id,
        kind=kind,
        release=claim.release,
        step=SETTLEMENT,
        type="accepted" if is_accepted else "deferred",
        reason="operator",
        period=claim.period,
        recorded_at=now,
        retry_at=None if is_accepted else now,
        due_at=claim.due_at if is_accepted else None,
        provider=claim.provider,
        message_id=greetings.message_id(occurrence_key(*occurrence)) if is_accepted else None,
    )
