"""Why a person is greeted for a kind in a year, or is not, and what would change that."""

from datetime import date

import msgspec

from contracts.kinds import Kind
from services.planner.domain.decision import Decision, decide
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence import RECURRENCES


def decide_in(recipient: Recipient, kind: Kind, year: int) -> Decision:
    """Return the decision on the first day of ``year`` on which ``kind`` falls.

    Without a person, a date or such a day it is the decision on 1 January, whose rules say which
    of them is missing.
    """
    first = date(year, 1, 1)
    origin = recipient.origin_of(kind)
    if origin is None:
        return decide(recipient, kind, first)
    # Without its year, so that a year before the date is answered by the rule about that.
    recurring = origin if kind.cadence == "once" else msgspec.structs.replace(origin, year=None)
    day = RECURRENCES[kind.cadence].next_day(recurring, leap_day=recipient.leap_day, since=first)
    return decide(recipient, kind, day if day is not None and day.year == year else first)


def smallest_change(decision: Decision, kind: Kind) -> str | None:
    """Return what would have to change for the occurrence to be owed; None where it is."""
    changes = {
        "user_removed": "restore the person, unless they were erased",
        "no_date": f"set {kind.date_field}",
        "other_day": f"set {kind.date_field} to a date that falls in this year",
        "before_date": f"set {kind.date_field} to an earlier date",
        "opted_out": f"remove {kind.name} from opt_outs",
        "known_too_late": "nothing can: it became known after its instant; the next one is owed",
    }
    return changes[decision.reason] if decision.reason else None
