"""The dispatcher's commands: each opens what it needs, does its work and ends."""

import logging
from collections.abc import Callable

from libs.clock import open_clock
from libs.eventstore import rebuilding
from libs.eventstore.feed_reader import FeedAwayError, FeedRefusedError, open_feed
from libs.eventstore.rebuilding import line_of
from libs.postgres import migrations
from libs.postgres.pool import open_pool
from libs.runtime.process import StartupError
from services.dispatcher.app.rebuilding import Contacts
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.wiring.resources import MIGRATIONS, NAME, refuse_old_tables

logger = logging.getLogger(__name__)

COMMAND_TIMEOUT_S = 600.0
"""A command may read a whole table."""


async def migrate(settings: DispatcherSettings) -> None:
    """Apply what the database lacks."""
    applied = await migrations.migrate(settings.database_url, *MIGRATIONS)
    logger.info("migrations.applied", extra={"count": len(applied)})


async def rebuild(settings: DispatcherSettings, tell: Callable[[str], None]) -> None:
    """Rebuild the contacts from the user service's events; the dispatcher may be at work.

    Raises:
        StartupError: the database lacks migrations, or the events cannot be read.
    """
    if settings.user_url is None or settings.user_api_key is None:
        raise StartupError(
            "set DISPATCHER_USER_URL and DISPATCHER_USER_API_KEY: a rebuild reads events"
        )
    async with (
        open_pool(
            settings.database_url, name=NAME, size=2, statement_timeout_s=COMMAND_TIMEOUT_S
        ) as pool,
        open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env) as clock,
        open_feed(settings.user_url, settings.user_api_key) as feed,
    ):
        await refuse_old_tables(pool)
        try:
            await rebuilding.rebuild(
                pool, feed, Contacts(clock), tell=lambda progress: tell(line_of(progress))
            )
        except (FeedAwayError, FeedRefusedError) as error:
            raise StartupError(f"{error}; run it again to go on") from error
