"""Prints the events of a service from any position on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from services.console.api import Api

LOOK_AGAIN_S: Final = 1.0
_MORE_SOON_S: Final = 0.05


class Read(msgspec.Struct, frozen=True):
    """Some events, and the position behind them."""

    events: list[Any]
    position: str | None


async def read_events(
    api: Api, service: str, *, after: str | None, types: Sequence[str], is_followed: bool
) -> AsyncIterator[Read]:
    """Yield the events after a position, a page at a time; followed, it goes on for ever."""
    has_more = True
    while has_more or is_followed:
        query = [("type", name) for name in types] + ([("after", after)] if after else [])
        page = await api.ask(service, "/v1/events", query=query)
        after, has_more = page["next"], page["has_more"]
        yield Read(page["events"], after)
        if is_followed or not page["events"]:
            await asyncio.sleep(_MORE_SOON_S if has_more else LOOK_AGAIN_S * is_followed)
