"""Rebuilds that run at once: whatever one has noted, no other may take for the whole log."""

import asyncio
from uuid import UUID

from contracts import codec
from contracts.user_events import USER_REGISTERED, UserRegistered
from libs.clock import FrozenClock
from libs.eventstore import rebuilding
from libs.eventstore.feed_reader import FeedPage, Told
from libs.postgres.types import Pool
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.app.rebuilding import Contacts
from tests.support.deliveries import a_person, told


class Log:
    """A person a page; who reads after ``held_at`` waits until ``go``."""

    def __init__(self, people: list[UserRegistered], held_at: str | None = "nowhere") -> None:
        self._people = people
        self._held_at = held_at
        self.is_reached = asyncio.Event()
        self.go = asyncio.Event()

    async def read(self, after: str | None) -> FeedPage:
        if after == self._held_at:
            self.is_reached.set()
            await self.go.wait()
        place = int(after or 0)
        page = self._people[place : place + 1]
        events = [
            Told(one.id, one.version, USER_REGISTERED, codec.encode([told(one)])[1:-1])
            for one in page
        ]
        return FeedPage(events, str(place + len(page)), place + 1 < len(self._people))


async def rebuilt(pool: Pool, log: Log, clock: FrozenClock) -> None:
    await rebuilding.rebuild(pool, log, Contacts(clock), tell=lambda _: None)


async def known(pool: Pool) -> set[UUID]:
    return {row["person_id"] for row in await pool.fetch("SELECT person_id FROM contacts")}


async def test_a_rebuild_that_was_overtaken_takes_nobody_for_a_stranger(
    pool: Pool, clock: FrozenClock
) -> None:
    people = [a_person(), a_person()]
    await project_contacts(pool, [told(one) for one in people])
    slow, newest = Log(people, held_at="1"), Log(people, held_at=None)
    first = asyncio.create_task(rebuilt(pool, slow, clock))
    await slow.is_reached.wait()  # it has noted the first person and reads on
    await rebuilt(pool, Log(people), clock)
    last = asyncio.create_task(rebuilt(pool, newest, clock))
    await newest.is_reached.wait()  # it has forgotten what was noted
    slow.go.set()
    await first
    assert await known(pool) == {one.id for one in people}
    newest.go.set()
    await last
    assert await known(pool) == {one.id for one in people}


async def test_rebuilds_that_begin_together_are_one(pool: Pool, clock: FrozenClock) -> None:
    people = [a_person() for _ in range(4)]
    await project_contacts(pool, [told(one) for one in people[1:]])
    await asyncio.gather(*(rebuilt(pool, Log(people), clock) for _ in range(4)))
    assert await known(pool) == {one.id for one in people}
