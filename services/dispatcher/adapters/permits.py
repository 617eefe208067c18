"""Permits to send through a provider: its rate, kept by all dispatchers together."""

import math

import msgspec

from libs.postgres.types import Connection
from services.dispatcher.adapters.sql import SQL

SLICE_S = 0.25
"""What a dispatcher takes at a time is worth this long of the rate, where it cannot have all."""


class Rate(msgspec.Struct, frozen=True):
    """``mails_per_s`` in the long run, at most ``burst`` of them in one moment."""

    mails_per_s: float
    burst: int

    @property
    def slice(self) -> int:
        """The fewest permits worth a claim of their own, where more are wanted."""
        return max(1, min(self.burst, math.ceil(self.mails_per_s * SLICE_S)))


class Granted(msgspec.Struct, frozen=True):
    """How many mails may go out now; if none, ask again after ``wait_s`` real seconds."""

    permits: int
    wait_s: float


async def take_permits(
    connection: Connection, provider: str, rate: Rate, *, wanted: int
) -> Granted:
    """Take up to ``wanted`` permits (at least 1): a slice of the rate or more, or none."""
    row = await connection.fetchrow(
        SQL.take_permits, provider, wanted, rate.slice, rate.mails_per_s, rate.burst
    )
    if row is None:
        raise LookupError("an upsert that always writes returned nothing")
    return Granted(row["granted"], row["wait_s"])


async def give_back_permits(
    connection: Connection, provider: str, rate: Rate, *, unused: int
) -> None:
    """Give back permits that no mail needed."""
    await connection.execute(SQL.give_back_permits, provider, unused, rate.mails_per_s)
