"""Keeps a planner from working by another release of the zone data than the plan is made by."""

import logging

import msgspec

from libs.localtime import TZDATA_VERSION
from libs.postgres.types import Pool
from libs.runtime.health import Check
from libs.runtime.stopping import Stopping
from services.planner.app.adopting import find_release

logger = logging.getLogger(__name__)

OTHER_ZONE_DATA = "other zone data"
"""Why a process drains that finds its release not to count any more."""

_EVERY_S = 1.0


class ZoneDataWatch(msgspec.Struct, frozen=True):
    """Drains the process once the plan is made by another release than it has."""

    pool: Pool
    stopping: Stopping

    async def step(self) -> float:
        """Look once."""
        adopted = await find_release(self.pool)
        if adopted is not None and adopted.release != TZDATA_VERSION:
            facts = {"planned_by": adopted.release, "release": TZDATA_VERSION}
            logger.error("zone_data.other", extra=facts)
            self.stopping.begin(OTHER_ZONE_DATA)
        return _EVERY_S


def zone_data_check(pool: Pool) -> Check:
    """Return the check that the plan is wholly made by this process's release."""

    async def check() -> str | None:
        adopted = await find_release(pool)
        if adopted is None or adopted.release != TZDATA_VERSION:
            planned_by = "nothing yet" if adopted is None else adopted.release
            return f"this process has zone data {TZDATA_VERSION}, the plan is made by {planned_by}"
        if adopted.replanned_at is None:
            return f"rows still move to zone data {TZDATA_VERSION}: nothing is released until then"
        return None

    return check
