"""How a date recurs: one strategy per cadence.

Celebrations are kept in numbered buckets, so that a local day is planned by reading few of them.
Every cadence has numbers of its own; they are stored and never change their meaning.
"""

from contracts.kinds import Cadence
from services.planner.domain.recurrence.daily import Daily
from services.planner.domain.recurrence.monthly import Monthly
from services.planner.domain.recurrence.once import Once
from services.planner.domain.recurrence.strategy import Bucket, LeapDay, Recurrence
from services.planner.domain.recurrence.weekly import Weekly
from services.planner.domain.recurrence.yearly import Yearly

__all__ = ["RECURRENCES", "Bucket", "LeapDay", "Recurrence"]

RECURRENCES: dict[Cadence, Recurrence] = {
    "yearly": Yearly(),
    "monthly": Monthly(),
    "weekly": Weekly(),
    "daily": Daily(),
    "once": Once(),
}
