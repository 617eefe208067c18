"""The real services on real PostgreSQL, without their processes: a call a piece of work."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from contracts import topology
from contracts.kinds import KINDS
from libs.broker import Handler
from libs.clock import FrozenClock
from libs.eventstore.feed_reader import FeedPage, read_event
from libs.eventstore.rebuilding import Progress, rebuild
from libs.eventstore.sealing import KeyRing, new_key
from libs.ids import parse_occurrence_key
from libs.outbox import Relay
from libs.postgres.partitions import ensure_day_partitions, ensure_range_partition
from libs.postgres.types import Connection, Pool
from libs.resilience import Guard
from services.dispatcher import wiring as dispatcher_wiring
from services.dispatcher.adapters import suppressions
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.rebuilding import Contacts
from services.dispatcher.app.settle_by_hand import settle_by_hand
from services.dispatcher.app.settle_unknown import record_lapsed_claims, settle_unknown
from services.dispatcher.app.unsubscribe import resubscribe, unsubscribe
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.domain.unsubscribing import Unsubscribing
from services.dispatcher.entrypoints.consumers import (
    contact_handler,
    hold_handler,
    request_handler,
)
from services.planner import wiring as planner_wiring
from services.planner.app.cancelling import cancel
from services.planner.app.pausing import pause, resume
from services.planner.app.rebuilding import People, rebuild_people
from services.planner.app.upkeep import close_done_days
from services.planner.domain.room import Room
from services.planner.entrypoints.consumers import (
    blocks_handler,
    outcome_handler,
    people_handler,
    recipient_reader,
)
from services.planner.entrypoints.hold_loops import Following
from services.planner.entrypoints.loops import Planning, Reconciling, Releasing
from services.user import wiring as user_wiring
from services.user.adapters.feed import PeopleFeed
from services.user.adapters.registering import Registrations
from services.user.adapters.store import Origin, Store
from services.user.app.change import change
from services.user.app.register import register
from services.user.app.remove import delete, erase, restore
from services.user.domain.profile import Rules
from tests.model.broker import ModelBroker
from tests.model.mortal import Fate, open_mortal_pool
from tests.model.outside import ModelProvider
from tests.support.databases import fresh_database

RETENTION = timedelta(days=30)
ASK_AFTER = timedelta(0)
ORIGIN = Origin(caller="model")
KIND_SET = frozenset(KINDS)
DAYS_BACK = 2
DAYS_READY = 14
"""Partitions a history needs: fewer than in earnest, so that every statement is quicker."""

QUEUES = (
    topology.PLANNER_USERS.name,
    topology.PLANNER_OUTCOMES.name,
    topology.PLANNER_BLOCKS.name,
    topology.DISPATCHER_PAUSES.name,
    topology.DISPATCHER_USERS.name,
    topology.DISPATCHER_REQUESTS.name,
)
"""In the order in which whoever catches up empties them."""

EVENTS_AT_ONCE = 5
NOTHING_TOLD: Callable[[Progress], None] = lambda _: None  # noqa: E731
USER_TABLES = ("events", "people", "person_keys")
PLANNER_TABLES = (
    "plan",
    "slices",
    "days",
    "celebrations",
    "recipients",
    "blocks",
    "pauses",
    "cancellations",
    "hold_work",
    "rebuild",
    "set_aside",
)
DISPATCHER_TABLES = (
    "delivery_events",
    "open_claims",
    "greeted",
    "contacts",
    "former_contacts",
    "suppressions",
    "unsubscribes",
    "blocks",
    "pauses",
    "cancellations",
    "rebuild",
    "set_aside",
)


class LocalFeed:
    """The user service's events without HTTP between, a few at a time."""

    def __init__(self, store: Store) -> None:
        self._feed = PeopleFeed(store)

    async def read(self, after: str | None) -> FeedPage:
        """Return the next few events after a position."""
        part = await self._feed.read(after, limit=EVENTS_AT_ONCE, types=frozenset())
        return FeedPage([read_event(one.event) for one in part.entries], part.next, part.has_more)


class RunningClock(FrozenClock):
    """A clock the model moves, on a calendar that otherwise runs like the real one."""

    rate = 1.0


class Servers:
    """Three databases, made once, with a connection of the observer's own to two of them."""

    def __init__(self, pools: Sequence[Pool], eyes: Sequence[Connection], fate: Fate) -> None:
        self.user, self.planner, self.dispatcher = self._pools = pools
        self.user_eye, self.planner_eye, self.dispatcher_eye = eyes
        self.fate = fate
        self.store = Store(self.user, KeyRing(new_key()))
        self._prepared: set[date] = set()

    async def prepare(self, start: datetime) -> None:
        """Have partitions for a history from ``start`` on, and nothing from the one before."""
        await self._forget()
        if start.date() in self._prepared:
            return
        first = start.date() - timedelta(days=DAYS_BACK)
        async with self.planner.acquire() as connection:
            await ensure_day_partitions(connection, "plan", first=first, days=DAYS_READY)
        async with self.dispatcher.acquire() as connection:
            await ensure_day_partitions(connection, "delivery_events", first=first, days=DAYS_READY)
            for year in sorted({start.year, (start + timedelta(days=DAYS_READY)).year}):
                bounds = {"lower": f"{year}-01-01", "upper": f"{year + 1}-01-01"}
                await ensure_range_partition(connection, "greeted", f"greeted_{year}", **bounds)
        for pool in self._pools:
            await Relay(pool, ModelBroker(), name="model").keep_partitions()
        self._prepared.add(start.date())

    async def _forget(self) -> None:
        for eye, tables in (
            (self.user_eye, USER_TABLES),
            (self.planner_eye, PLANNER_TABLES),
            (self.dispatcher_eye, DISPATCHER_TABLES),
        ):
            await eye.execute(";".join(f"DELETE FROM {table}" for table in tables))  # noqa: S608
        if self._prepared:
            for pool in self._pools:
                while await Relay(pool, ModelBroker(), name="model").run_once():
                    pass


@asynccontextmanager
async def open_servers(pg_url: str) -> AsyncIterator[Servers]:
    """Yield three migrated databases."""
    async with AsyncExitStack() as stack:
        fate = Fate()
        urls = [
            await stack.enter_async_context(fresh_database(pg_url, *packages))
            for packages in (
                user_wiring.MIGRATIONS,
                planner_wiring.MIGRATIONS,
                dispatcher_wiring.MIGRATIONS,
            )
        ]
        settings: list[dict[str, str]] = [
            {},
            planner_wiring.PLANNING,
            dispatcher_wiring.PLANNING,
        ]
        pools = [
            await stack.enter_async_context(open_mortal_pool(url, fate, settings=one))
            for url, one in zip(urls, settings, strict=True)
        ]
        eyes: list[Connection] = []
        for url, tables in zip(urls, (USER_TABLES, PLANNER_TABLES, DISPATCHER_TABLES), strict=True):
            eye = await asyncpg.connect(url, server_settings={"synchronous_commit": "off"})
            stack.push_async_callback(eye.close)
            await eye.execute(f"GRANT UPDATE, DELETE ON {', '.join(tables)} TO CURRENT_USER")
            eyes.append(eye)
        yield Servers(pools, eyes, fate)


class System:
    """One history's services. Calls die as the servers' fate says; the next is a new process."""

    def __init__(self, servers: Servers, start: datetime, *, can_find: bool, seed: int) -> None:
        self.servers = servers
        self.clock = RunningClock(start)
        self.broker = ModelBroker()
        self.feed = LocalFeed(servers.store)
        self.provider = ModelProvider(can_find=can_find)
        self._courier = Courier(
            pool=servers.dispatcher,
            clock=self.clock,
            provider=self.provider,
            guard=Guard("smtp", threshold=1_000_000),
            greetings=Greetings(KINDS, message_domain="model.example"),
            lease_s=0.0,
            random=Random(seed),
        )
        self._planning = Planning(servers.planner, self.clock, KINDS, horizon_days=3, slice_size=2)
        self._releasing = Releasing(
            servers.planner,
            self.broker,
            self.clock,
            KINDS,
            batch_size=3,
            room=Room(1000),
            pause_max_s=1.0,
            ask_after=ASK_AFTER,
        )
        self._reconciling = Reconciling(
            servers.planner,
            self.broker,
            self.clock,
            batch_size=100,
            ask_after=ASK_AFTER,
        )
        self._following = Following(servers.planner, self.clock)
        self._planner_relay = Relay(servers.planner, self.broker, name="planner")
        self._user_relay = Relay(servers.user, self.broker, name="user")
        self._dispatcher_relay = Relay(servers.dispatcher, self.broker, name="dispatcher")
        self.handlers: dict[str, Handler] = {
            topology.PLANNER_USERS.name: people_handler(servers.planner, self.clock, KINDS),
            topology.PLANNER_OUTCOMES.name: outcome_handler(servers.planner, self.clock, KINDS),
            topology.PLANNER_BLOCKS.name: blocks_handler(servers.planner),
            topology.DISPATCHER_PAUSES.name: hold_handler(servers.dispatcher, self.clock),
            topology.DISPATCHER_USERS.name: contact_handler(servers.dispatcher, self.clock),
            topology.DISPATCHER_REQUESTS.name: request_handler(
                self._courier, gate_wait_s=0.0, is_draining=lambda: False
            ),
        }

    @property
    def _rules(self) -> Rules:
        return Rules(today=self.clock.now().date(), kinds=KIND_SET)

    async def register(self, person_id: UUID, document: dict[str, Any]) -> None:
        """Register a person."""
        await register(
            Registrations(self.servers.store),
            document,
            person_id=person_id,
            rules=self._rules,
            origin=ORIGIN,
            now=self.clock.now(),
        )

    async def change(self, person_id: UUID, patch: dict[str, Any]) -> int:
        """Change a person and return the version."""
        written = await change(
            self.servers.store,
            person_id,
            patch,
            rules=self._rules,
            origin=ORIGIN,
            now=self.clock.now(),
        )
        return written.state.version

    async def delete(self, person_id: UUID) -> None:
        """Delete a person."""
        await delete(self.servers.store, person_id, origin=ORIGIN, now=self.clock.now())

    async def restore(self, person_id: UUID) -> None:
        """Restore a person."""
        await restore(
            self.servers.store,
            person_id,
            retention=RETENTION,
            origin=ORIGIN,
            now=self.clock.now(),
        )

    async def erase(self, person_id: UUID) -> None:
        """Erase a person."""
        await erase(self.servers.store, person_id, origin=ORIGIN, now=self.clock.now())

    async def suppress(self, address: str) -> None:
        """Let no mail go to an address."""
        async with self.servers.dispatcher.acquire() as connection:
            await suppressions.put_suppression(
                connection, address, reason="bounced", now=self.clock.now()
            )

    async def allow(self, address: str) -> None:
        """Let mail go to an address again."""
        async with self.servers.dispatcher.acquire() as connection:
            await suppressions.delete_suppression(connection, address, now=self.clock.now())

    async def pause(self, person_id: UUID | None, kind: str | None) -> UUID:
        """Hold back a person, a kind or everything."""
        paused, _ = await pause(
            self.servers.planner,
            person_id=person_id,
            kind=kind,
            reason=None,
            now=self.clock.now(),
            by="model",
        )
        return paused.pause_id

    async def resume(self, pause_id: UUID) -> None:
        """End a pause."""
        await resume(self.servers.planner, pause_id, now=self.clock.now(), by="model")

    async def cancel(self, person_id: UUID | None, kind: str | None, day: date) -> None:
        """Call off what falls on a day."""
        await cancel(
            self.servers.planner,
            person_id=person_id,
            kind=kind,
            first_day=day,
            last_day=day,
            reason=None,
            now=self.clock.now(),
            by="model",
        )

    async def unsubscribe(self, person_id: UUID, kind: str) -> None:
        """Have somebody follow the link in a mail."""
        asked = Unsubscribing(person_id, kind)
        await unsubscribe(self.servers.dispatcher, asked, now=self.clock.now())

    async def resubscribe(self, person_id: UUID, kind: str) -> None:
        """Let mails of a kind go to somebody again."""
        asked = Unsubscribing(person_id, kind)
        await resubscribe(self.servers.dispatcher, asked, now=self.clock.now())

    async def relay(self) -> int:
        """Publish what waits in all outboxes; return how many rows."""
        return await self.relay_user() + await self.relay_planner() + await self.relay_dispatcher()

    async def relay_planner(self) -> int:
        """Publish what the planner has to tell."""
        return await self._planner_relay.run_once()

    async def relay_user(self) -> int:
        """Publish what the user service has to tell."""
        return await self._user_relay.run_once()

    async def relay_dispatcher(self) -> int:
        """Publish what the dispatcher has to tell."""
        return await self._dispatcher_relay.run_once()

    async def deliver(self, queue: str, place: int, *, is_kept: bool = False) -> None:
        """Hand one message over; it is gone once the handler returned, unless it ``is_kept``."""
        message = self.broker.queues[queue][place]
        await self.handlers[queue](self.broker.delivery(queue, message))
        if not is_kept:
            self.broker.queues[queue].remove(message)

    async def plan(self) -> bool:
        """Do one piece of planning; tell whether there is more."""
        return await self._planning.step() == 0

    async def follow(self) -> bool:
        """Have a slice of rows follow what operators decided; tell whether there may be more."""
        return await self._following.step() == 0

    async def release(self) -> bool:
        """Release a batch of what is due; tell whether there may be more."""
        return await self._releasing.step() == 0

    async def ask_again(self) -> None:
        """Ask again for every release without an answer."""
        await self._reconciling.step()

    async def settle(self) -> int:
        """Find lost outcomes and settle unknown ones; return how many."""
        lapsed = await record_lapsed_claims(self.servers.dispatcher, now=self.clock.now())
        return lapsed + await settle_unknown(self._courier)

    async def settle_by_hand(self, occurrence: str, *, is_accepted: bool) -> None:
        """Have an operator say what became of a mail of unknown fate."""
        await settle_by_hand(
            self.servers.dispatcher,
            self._courier.greetings,
            parse_occurrence_key(occurrence),
            "accepted" if is_accepted else "resend",
            now=self.clock.now(),
        )

    async def rebuild_planner(self) -> None:
        """Rebuild what the planner knows of people."""
        people = People(KINDS, self.clock, recipient_reader(KINDS))
        await rebuild_people(self.servers.planner, self.feed, people, tell=NOTHING_TOLD)

    async def rebuild_dispatcher(self) -> None:
        """Rebuild what the dispatcher knows of people."""
        contacts = Contacts(self.clock)
        await rebuild(self.servers.dispatcher, self.feed, contacts, tell=NOTHING_TOLD)

    async def close_days(self) -> None:
        """Close the days that are done."""
        await close_done_days(self.servers.planner, KINDS.values(), now=self.clock.now())
