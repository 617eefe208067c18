"""Rebuilds contacts from the user service's events."""

import logging
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import msgspec

from contracts import codec
from contracts.codec import MalformedError, UnknownTypeError
from libs.clock import Clock
from libs.eventstore.feed_reader import Told
from libs.postgres.types import Connection
from services.dispatcher.adapters import contacts
from services.dispatcher.adapters.blocks import tell_blocks, tell_blocks_again
from services.dispatcher.adapters.suppressions import share_suppressions
from services.dispatcher.domain.contact import Contact, contact_from

logger = logging.getLogger(__name__)

_BLOCKS_AT_ONCE = 1000
_NOBODY = UUID(int=0)


class Contacts(msgspec.Struct, frozen=True):
    """Contacts, and what keeps mail from people, which is told to the world once more."""

    clock: Clock

    async def note_doubtful(self, connection: Connection) -> None:
        await contacts.note_doubtful(connection)

    async def rewrite(
        self, connection: Connection, events: Sequence[Told], *, overruled: Collection[UUID]
    ) -> None:
        written = [contact for one in events if (contact := _contact(one)) is not None]
        await share_suppressions(connection)
        await contacts.rewrite_contacts(connection, written, overruled=overruled)
        await contacts.forget_people(
            connection,
            left=[one.person_id for one in written if one.state != "active"],
            erased=[one.person_id for one in written if one.state == "erased"],
        )
        people = [one.person_id for one in written]
        await tell_blocks(connection, people, now=self.clock.now())

    async def remove(self, connection: Connection, held: Mapping[UUID, int]) -> None:
        await contacts.remove_contacts(connection, held)

    async def sweep(self, connection: Connection, after: str | None) -> str | None:
        """Tell the next blocks again: who reads them may have lost what was told once."""
        last = await tell_blocks_again(
            connection,
            after=_NOBODY if after is None else UUID(after),
            limit=_BLOCKS_AT_ONCE,
            now=self.clock.now(),
        )
        return None if last is None else str(last)


def _contact(told: Told) -> Contact | None:
    try:
        [event] = codec.decode(told.type, b"[" + told.event + b"]")
    except (MalformedError, UnknownTypeError) as error:
        facts = {"person_id": str(told.stream_id), "cause": type(error).__name__}
        logger.error("person.skipped", extra=facts)  # noqa: TRY400
        return None
    return contact_from(event.type, event.data)
