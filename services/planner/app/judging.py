"""Asks the rules about one person; whoever they cannot deal with is skipped aloud, nobody else."""

import logging
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from contracts.kinds import Kind
from services.planner.adapters.metrics import SKIPPED
from services.planner.domain.celebration import Celebration, celebrations_of
from services.planner.domain.planned import Change, Planned, decide_anew, give_up, reschedule
from services.planner.domain.recipient import Recipient

logger = logging.getLogger(__name__)

FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a rule raises that does not foresee somebody's data."""

RULE_FAILED = "rule_failed"


def celebrations(recipient: Recipient, kinds: Iterable[Kind]) -> list[Celebration]:
    """Return what is to be filed, without the kinds whose rule fails for ``recipient``."""
    found: list[Celebration] = []
    for kind in kinds:
        try:
            found += celebrations_of(recipient, [kind])
        except FAULTS as error:
            _skip(recipient.person_id, kind.name, error)
    return found


def rescheduled(row: Planned, recipient: Recipient, kind: Kind | None) -> Change | None:
    """Return what ``reschedule`` says; the row ends where its rule fails."""
    try:
        return reschedule(row, recipient, kind)
    except FAULTS as error:
        _skip(row.person_id, row.kind, error)
        return give_up(row, RULE_FAILED)


def decided_anew(
    row: Planned, recipient: Recipient | None, kind: Kind | None, *, earliest_at: datetime
) -> Change:
    """Return what ``decide_anew`` says; the row ends where its rule fails."""
    try:
        return decide_anew(row, recipient, kind, earliest_at=earliest_at)
    except FAULTS as error:
        _skip(row.person_id, row.kind, error)
        return give_up(row, RULE_FAILED)


def _skip(person_id: UUID, kind: str, error: Exception) -> None:
    # Its text might repeat somebody's data.
    facts = {"person_id": str(person_id), "kind": kind, "cause": type(error).__name__}
    logger.error("person.skipped", extra=facts | {"reason": RULE_FAILED})
    SKIPPED.add(reason=RULE_FAILED)
