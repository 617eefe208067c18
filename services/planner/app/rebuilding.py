"""Rebuilds what the planner knows of people from the user service's events."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from contracts import codec
from contracts.codec import MalformedError, UnknownTypeError
from contracts.envelope import Event
from contracts.kinds import Kind
from libs import outbox
from libs.clock import Clock
from libs.eventstore.feed_reader import Told
from libs.eventstore.rebuilding import Feed, Progress, rebuild
from libs.postgres.types import Connection, Pool
from services.planner.adapters import announcements, holds
from services.planner.adapters.celebrations import CelebrationKey
from services.planner.adapters.recipients import note_doubtful, remove_recipients
from services.planner.app.rewriting import remove_stray_celebrations, rewrite_people
from services.planner.domain.recipient import Recipient

logger = logging.getLogger(__name__)

_CELEBRATIONS_AT_ONCE = 2000
_HOLDS_AT_ONCE = 500

ReadRecipient = Callable[[Event[Any]], Recipient]
"""Returns the person of an event; a ``ValueError`` says that it cannot be used here."""


class People(msgspec.Struct, frozen=True):
    """Recipients, their celebrations, and their rows in open days."""

    kinds: Mapping[str, Kind]
    clock: Clock
    read: ReadRecipient

    async def note_doubtful(self, connection: Connection) -> None:
        await note_doubtful(connection)

    async def rewrite(
        self, connection: Connection, events: Sequence[Told], *, overruled: Collection[UUID]
    ) -> None:
        people = [person for one in events if (person := self._person(one)) is not None]
        await rewrite_people(
            connection, people, self.kinds, overruled=overruled, now=self.clock.now()
        )

    async def remove(self, connection: Connection, held: Mapping[UUID, int]) -> None:
        await remove_recipients(connection, held)

    async def sweep(self, connection: Connection, after: str | None) -> str | None:
        swept = await remove_stray_celebrations(
            connection,
            self.kinds,
            after=None if after is None else _key_from(after),
            limit=_CELEBRATIONS_AT_ONCE,
        )
        return None if swept is None else f"{swept.bucket} {swept.person_id} {swept.kind}"

    def _person(self, told: Told) -> Recipient | None:
        try:
            [event] = codec.decode(told.type, b"[" + told.event + b"]")
            return self.read(event)
        except (MalformedError, UnknownTypeError, ValueError) as error:
            facts = {"person_id": str(told.stream_id), "cause": type(error).__name__}
            logger.error("person.skipped", extra=facts)  # noqa: TRY400
            return None


async def rebuild_people(
    pool: Pool, feed: Feed, people: People, *, tell: Callable[[Progress], None]
) -> Progress:
    """Rebuild what is known of people while the planner works; then tell again what is held back.

    Nothing is sent by it: rows that it plans are released as ever, and the dispatcher answers what
    it has dealt with from its records.

    Raises:
        FeedRefusedError, FeedAwayError: the user service cannot be read.
    """
    progress = await rebuild(pool, feed, people, tell=tell)
    await tell_holds_again(pool)
    return progress


async def tell_holds_again(pool: Pool) -> None:
    """Publish every pause and cancellation once more, for whoever lost them."""
    before: UUID | None = None
    while pauses := await _tell_pauses(pool, before):
        before = pauses
    before = None
    while cancellations := await _tell_cancellations(pool, before):
        before = cancellations


async def _tell_pauses(pool: Pool, before: UUID | None) -> UUID | None:
    async with pool.acquire() as connection, connection.transaction():
        pauses = await holds.list_pauses(
            connection, only_open=False, before=before, limit=_HOLDS_AT_ONCE
        )
        news = [announcements.paused(one) for one in pauses]
        news += [
            announcements.resumed(one, resumed_at=one.resumed_at)
            for one in pauses
            if one.resumed_at is not None
        ]
        await outbox.put(connection, news)
    return pauses[-1].pause_id if pauses else None


async def _tell_cancellations(pool: Pool, before: UUID | None) -> UUID | None:
    async with pool.acquire() as connection, connection.transaction():
        called_off = await holds.list_cancellations(connection, before=before, limit=_HOLDS_AT_ONCE)
        await outbox.put(connection, [announcements.cancelled(one) for one in called_off])
    return called_off[-1].cancellation_id if called_off else None


def _key_from(text: str) -> CelebrationKey:
    bucket, person_id, kind = text.split(" ")
    return CelebrationKey(int(bucket), UUID(person_id), kind)
