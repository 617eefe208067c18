"""The three services on real databases, driven window by window; the broker is a list."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from random import Random
from uuid import UUID

import msgspec

from contracts import topology
from contracts.kinds import KINDS
from libs.broker import Delivery, Handler
from libs.clock import FrozenClock
from libs.eventstore.sealing import KeyRing, new_key
from libs.ids import occurrence_key
from libs.outbox import Relay
from libs.postgres.partitions import ensure_day_partitions, ensure_range_partition
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.resilience import Guard
from services.dispatcher import wiring as dispatcher_wiring
from services.dispatcher.adapters.providers.provider import Found, Missing, Traits
from services.dispatcher.app.courier import Courier
from services.dispatcher.domain.delivery import Accepted, Refused, Result, Unknown
from services.dispatcher.domain.greeting import Greetings, Mail
from services.dispatcher.entrypoints.consumers import (
    contact_handler,
    hold_handler,
    request_handler,
)
from services.planner import wiring as planner_wiring
from services.planner.app.following import follow_next_hold
from services.planner.app.opening import cut_next_day, open_days_ahead
from services.planner.app.planning import note_planned_days, plan_next_slice
from services.planner.app.releasing import look_out, release_due
from services.planner.app.upkeep import close_done_days
from services.planner.entrypoints.consumers import blocks_handler, outcome_handler, people_handler
from services.user import wiring as user_wiring
from services.user.adapters.store import Store
from tests.support.databases import fresh_database

DAYS_AROUND = 5
DAYS_KEPT = 25
"""Partitions made at a time; done once a week."""
QUICK = {"synchronous_commit": "off"}
ASK_AFTER = timedelta(hours=1)


class RunningClock(FrozenClock):
    """A clock the test moves, on a calendar that otherwise runs like the real one."""

    rate = 1.0


class Recorder:
    """A provider that takes nearly every mail and remembers which it was asked to send."""

    def __init__(self, random: Random) -> None:
        self.traits = Traits(name="smtp", timeout_s=0.0, can_find=False)
        self.attempted: list[str] = []
        self.accepted: list[str] = []
        self.doubtful: list[str] = []
        self.is_faultless = False
        self._random = random

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:  # noqa: ARG002
        """Answer each mail by chance."""
        return [self._answer(mail) for mail in mails]

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        """Return nothing: it cannot be asked."""
        raise AssertionError((occurrence, message_id))

    async def close(self) -> None:
        """Nothing to give back."""

    def _answer(self, mail: Mail) -> Result:
        self.attempted.append(mail.occurrence)
        chance = 1.0 if self.is_faultless else self._random.random()
        if chance < 0.03:
            return Refused("recipient_refused")
        if chance < 0.12:
            self.doubtful.append(mail.occurrence)
            return Unknown("timed_out")
        self.accepted.append(mail.occurrence)
        return Accepted(mail.message_id)


class Post:
    """Publishes into lists, one for all queues, as the topology binds them."""

    def __init__(self) -> None:
        self.waiting: deque[Delivery] = deque()

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        items: int,  # noqa: ARG002
        message_id: str,
        type_name: str | None = None,
        traceparent: str | None = None,  # noqa: ARG002
    ) -> None:
        """Keep the message for every queue bound to it."""
        for queue in topology.WORK_QUEUES:
            keys = queue.routing_keys
            if queue.exchange == exchange and any(fnmatchcase(routing_key, key) for key in keys):
                self.waiting.append(
                    Delivery(
                        queue=queue.name,
                        type_name=type_name or routing_key,
                        body=body,
                        message_id=message_id,
                        is_redelivered=False,
                    )
                )


class Services:
    """All services, without their processes: every piece of work is one call."""

    def __init__(self, pools: Sequence[Pool], start: datetime, random: Random) -> None:
        self.user, self.planner, self.dispatcher = pools
        self.clock = RunningClock(start)
        self.provider = Recorder(random)
        self.store = Store(self.user, KeyRing(new_key()))
        self.post = Post()
        self.greetings = Greetings(KINDS, message_domain="year.example")
        courier = Courier(
            pool=self.dispatcher,
            clock=self.clock,
            provider=self.provider,
            guard=Guard("smtp", threshold=1_000_000),
            greetings=self.greetings,
            lease_s=60.0,
            random=random,
        )
        self._relays = [
            Relay(pool, self.post, name=name)
            for pool, name in zip(pools, ("user", "planner", "dispatcher"), strict=True)
        ]
        self._handlers: dict[str, Handler] = {
            topology.PLANNER_USERS.name: people_handler(self.planner, self.clock, KINDS),
            topology.PLANNER_BLOCKS.name: blocks_handler(self.planner),
            topology.PLANNER_OUTCOMES.name: outcome_handler(self.planner, self.clock, KINDS),
            topology.DISPATCHER_USERS.name: contact_handler(self.dispatcher, self.clock),
            topology.DISPATCHER_PAUSES.name: hold_handler(self.dispatcher, self.clock),
            topology.DISPATCHER_REQUESTS.name: request_handler(
                courier, gate_wait_s=0.0, is_draining=lambda: False
            ),
        }

    async def keep_partitions(self) -> None:
        """Have partitions for the weeks around the clock."""
        today = self.clock.now().date()
        first = today - timedelta(days=DAYS_AROUND)
        async with self.planner.acquire() as connection:
            await ensure_day_partitions(connection, "plan", first=first, days=DAYS_KEPT)
        async with self.dispatcher.acquire() as connection:
            await ensure_day_partitions(connection, "delivery_events", first=first, days=DAYS_KEPT)
            for year in range(first.year, first.year + 2):
                bounds = {"lower": f"{year}-01-01", "upper": f"{year + 1}-01-01"}
                await ensure_range_partition(connection, "greeted", f"greeted_{year}", **bounds)
        for relay in self._relays:
            await relay.keep_partitions()

    async def tell(self) -> None:
        """Have everybody know what everybody has to tell."""
        while sum([await relay.run_once() for relay in self._relays]) or self.post.waiting:
            while self.post.waiting:
                message = self.post.waiting.popleft()
                await self._handlers[message.queue](message)

    async def plan(self) -> None:
        """Close the days that are done, open those ahead and plan all of them."""
        now, kinds = self.clock.now(), list(KINDS.values())
        await open_days_ahead(self.planner, now=now, horizon_days=3)
        while await cut_next_day(self.planner, kinds, now=now, slice_size=1000):
            pass
        while await plan_next_slice(self.planner, kinds, now=now) is not None:
            pass
        await note_planned_days(self.planner, now=now)
        await close_done_days(self.planner, kinds, now=now)

    async def follow_holds(self) -> None:
        """Bring back, or call off, what operators have said."""
        while await follow_next_hold(self.planner, now=self.clock.now(), limit=500) is not None:
            pass

    async def release(self) -> None:
        """Release all that is due and deliver it."""
        now = self.clock.now()
        outlook = await look_out(self.planner, now=now, upto=100_000)
        due = (
            [one.local_day for one in outlook.upcoming if one.release_at <= now] if outlook else []
        )
        for local_day in due:
            await release_due(
                self.planner,
                self.post,
                local_day,
                kinds=KINDS,
                now=now,
                limit=10_000,
                ask_after=ASK_AFTER,
            )
        if due:
            await self.tell()


@asynccontextmanager
async def open_services(pg_url: str, start: datetime, random: Random) -> AsyncIterator[Services]:
    """Yield the services on three new databases."""
    wirings = (user_wiring, planner_wiring, dispatcher_wiring)
    settings: list[dict[str, str]] = [{}, planner_wiring.PLANNING, dispatcher_wiring.PLANNING]
    async with AsyncExitStack() as stack:
        pools = []
        for wiring, one in zip(wirings, settings, strict=True):
            url = await stack.enter_async_context(fresh_database(pg_url, *wiring.MIGRATIONS))
            pool = open_pool(url, name="year", size=3, settings=QUICK | one)
            pools.append(await stack.enter_async_context(pool))
        yield Services(pools, start, random)


class Occurrence(msgspec.Struct, frozen=True, order=True):
    """What an answer is about."""

    local_day: date
    person_id: UUID
    kind: str

    @property
    def key(self) -> str:
        """Its name for ever."""
        return occurrence_key(self.local_day, self.person_id, self.kind)
