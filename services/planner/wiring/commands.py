"""The planner's commands: each opens what it needs, does its work and ends."""

import logging
from collections.abc import Callable, Iterator

from contracts.kinds import KINDS
from libs.clock import open_clock
from libs.eventstore.feed_reader import FeedAwayError, FeedRefusedError, open_feed
from libs.eventstore.rebuilding import line_of
from libs.postgres import migrations
from libs.postgres.pool import open_pool
from libs.runtime.process import StartupError
from services.planner.app.adopting import (
    UnknownZonesError,
    adopt_release,
    compare_releases,
    preview_adoption,
)
from services.planner.app.rebuilding import People, rebuild_people
from services.planner.entrypoints.consumers import recipient_reader
from services.planner.entrypoints.tzdata_command import Wanted, adoption_lines, comparison_lines
from services.planner.settings import PlannerSettings
from services.planner.wiring.resources import (
    MIGRATIONS,
    NAME,
    PLANNING,
    refuse_old_tables,
    refuse_other_zone_data,
)

logger = logging.getLogger(__name__)

COMMAND_TIMEOUT_S = 600.0
"""A command may read a whole table."""


async def migrate(settings: PlannerSettings) -> None:
    """Apply what the database lacks."""
    applied = await migrations.migrate(settings.database_url, *MIGRATIONS)
    logger.info("migrations.applied", extra={"count": len(applied)})


async def change_zone_data(settings: PlannerSettings, wanted: Wanted) -> Iterator[str]:
    """Adopt the zone data of this process, or say what that moves; return the report's lines.

    Raises:
        StartupError: the database lacks migrations, or people live in zones that are unknown here.
    """
    async with (
        open_pool(
            settings.database_url, name=NAME, size=1, statement_timeout_s=COMMAND_TIMEOUT_S
        ) as pool,
        open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env) as clock,
    ):
        await refuse_old_tables(pool)
        now = clock.now()
        if wanted.former is not None:
            comparison = await compare_releases(
                pool, wanted.former, KINDS, first=wanted.first, last=wanted.last, now=now
            )
            return comparison_lines(comparison, wanted.former)
        try:
            if wanted.action == "preview":
                return adoption_lines(await preview_adoption(pool, KINDS), is_done=False)
            return adoption_lines(await adopt_release(pool, KINDS, now=now), is_done=True)
        except UnknownZonesError as error:
            raise StartupError(str(error)) from error


async def rebuild(settings: PlannerSettings, tell: Callable[[str], None]) -> None:
    """Rebuild what the planner knows of people from the user service's events; it may be at work.

    Raises:
        StartupError: the database lacks migrations, or the events cannot be read.
    """
    if settings.user_url is None or settings.user_api_key is None:
        raise StartupError("set PLANNER_USER_URL and PLANNER_USER_API_KEY: a rebuild reads events")
    async with (
        open_pool(
            settings.database_url,
            name=NAME,
            size=2,
            statement_timeout_s=COMMAND_TIMEOUT_S,
            settings=PLANNING,
        ) as pool,
        open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env) as clock,
        open_feed(settings.user_url, settings.user_api_key) as feed,
    ):
        await refuse_old_tables(pool)
        await refuse_other_zone_data(pool, clock)
        people = People(KINDS, clock, recipient_reader(KINDS))
        try:
            await rebuild_people(pool, feed, people, tell=lambda progress: tell(line_of(progress)))
        except (FeedAwayError, FeedRefusedError) as error:
            raise StartupError(f"{error}; run it again to go on") from error
