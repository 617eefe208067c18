"""Lets each caller in at a steady rate with bursts, judged by all processes together.

Every process has a bucket of its own per caller (GCRA), so that none alone lets in more than the
limit, and takes slices of the caller's common allowance from PostgreSQL. A request costs a look
into a dictionary; the common row is asked once per slice, beside the requests, and charged for what
was let in meanwhile. A process may hold one slice it has not used and let in one on credit: all
together they let in at most the limit and two slices for each further process, and what they let
in too much is charged to what follows.

Where the database cannot be asked, each process goes on with its own bucket.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from typing import Final

import asyncpg
import msgspec

from libs.clock import monotonic_s
from libs.httpapi.rates.sql import SQL
from libs.postgres.types import Connection, Pool
from libs.telemetry.metrics import declare_counter

logger = logging.getLogger(__name__)

SLICES_IN_BURST: Final = 32
"""A slice is this part of the burst, but at least one request."""
SLICE_WAIT_S: Final = 0.25
"""Longest a request waits for a slice before its own process alone judges it."""
ALONE_S: Final = 1.0
"""How long a process goes on alone before it asks the database again."""
ASK_AGAIN_S: Final = 0.02
"""A caller over the limit costs one question in so long, however often they knock."""
MAX_BUCKETS: Final = 20_000
"""Callers one process remembers; beyond them the one seen longest ago is forgotten."""

_ROUNDING_S: Final = 1e-6
_FORGET_EVERY: Final = 500
_FORGET_IDLE_S: Final = 60.0
_FORGOTTEN_AT_A_TIME: Final = 1000
_UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

REFUSED: Final = declare_counter(
    "jubilee_rate_limited_total",
    "Requests refused because their caller was over the limit.",
    {"caller": ("key", "peer")},
)
ALONE: Final = declare_counter(
    "jubilee_rate_limit_alone_total",
    "Times a process judged callers alone because the database could not be asked.",
)


class Rate(msgspec.Struct, frozen=True):
    """How many requests a second, and how many at once after a silence."""

    per_s: float
    burst: int

    @property
    def slice_size(self) -> int:
        """How many requests are asked of the common allowance at a time."""
        return max(1, self.burst // SLICES_IN_BURST)

    @property
    def window_s(self) -> int:
        """In how many whole seconds a spent burst grows back."""
        return max(1, -int(-self.burst // self.per_s))


class Verdict(msgspec.Struct, frozen=True):
    """Whether a request may go on, how many more may follow at once, and when all may again."""

    is_admitted: bool
    remaining: int
    whole_after_s: float
    retry_after_s: float = 0.0


class _Bucket:
    """What one process knows of one caller.

    ``left`` is what remains of the slices taken; below zero are requests let in on credit.
    """

    __slots__ = (
        "alone_until_s",
        "filling",
        "left",
        "refused_until_s",
        "shared",
        "spent_until_s",
        "waiting",
    )

    def __init__(self) -> None:
        self.spent_until_s = 0.0
        self.left = 0
        self.shared = 0
        self.waiting = 0
        self.refused_until_s = 0.0
        self.alone_until_s = 0.0
        self.filling: asyncio.Task[None] | None = None


class RateLimiter:
    """The buckets of one process at one ``rate``; without a pool it judges alone for ever."""

    def __init__(self, rate: Rate, pool: Pool | None = None, *, kind: str = "key") -> None:
        self.rate = rate
        self._pool = pool
        self._kind = kind
        self._request_s = 1 / rate.per_s
        self._burst_s = rate.burst / rate.per_s
        self._slice = rate.slice_size
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self.questions = 0

    async def take(self, caller: str) -> Verdict:
        """Judge one request of ``caller``, in constant time."""
        bucket, now_s = self._bucket(caller), monotonic_s()
        if self._pool is not None and bucket.left <= 0:
            now_s = await self._seek_credit(caller, bucket, now_s)
        spent_s = max(bucket.spent_until_s - now_s, 0.0)
        wait_s = max(
            spent_s + self._request_s - self._burst_s - _ROUNDING_S, bucket.refused_until_s - now_s
        )
        if wait_s > 0:
            REFUSED.add(caller=self._kind)
            return Verdict(False, 0, spent_s, wait_s)
        bucket.left -= 1
        bucket.spent_until_s = now_s + spent_s + self._request_s
        return Verdict(True, self._remaining(bucket, now_s), spent_s + self._request_s)

    async def drain(self) -> None:
        """Wait for the slices being asked for."""
        tasks = [one.filling for one in self._buckets.values() if one.filling is not None]
        await asyncio.gather(*tasks)

    def _bucket(self, caller: str) -> _Bucket:
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket()
            bucket.shared = self.rate.burst
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(caller)
        return bucket

    async def _seek_credit(self, caller: str, bucket: _Bucket, now_s: float) -> float:
        """Have a slice fetched; wait for it only where the credit is used up. Return the time."""
        until_s = now_s + SLICE_WAIT_S
        while now_s >= max(bucket.alone_until_s, bucket.refused_until_s):
            if bucket.filling is None:
                bucket.filling = asyncio.create_task(self._fill(caller, bucket))
            if bucket.left > -self._slice or now_s >= until_s:
                break
            bucket.waiting += 1
            await asyncio.wait([bucket.filling], timeout=until_s - now_s)
            bucket.waiting -= 1
            now_s = monotonic_s()
        return now_s

    def _remaining(self, bucket: _Bucket, now_s: float) -> int:
        alone = int((now_s + self._burst_s - bucket.spent_until_s + _ROUNDING_S) * self.rate.per_s)
        if self._pool is not None and now_s >= bucket.alone_until_s:
            alone = min(alone, bucket.left + bucket.shared)
        return max(0, min(alone, self.rate.burst))

    async def _fill(self, caller: str, bucket: _Bucket) -> None:
        """Charge the caller for what was let in on credit, and take another slice."""
        if self._pool is None:
            return
        owed = max(-bucket.left, 0)
        try:
            async with asyncio.timeout(ALONE_S), self._pool.acquire() as connection:
                row = await connection.fetchrow(
                    SQL.take_slice,
                    hashlib.blake2b(f"{self._kind} {caller}".encode(), digest_size=16).digest(),
                    owed,
                    max(self._slice, bucket.waiting),
                    self.rate.per_s,
                    self.rate.burst,
                )
                await self._forget_idle(connection)
        except _UNREACHABLE as error:
            self._go_on_alone(bucket, error)
            return
        finally:
            bucket.filling = None
        if row is None:
            raise RuntimeError("the statement always returns a row")
        bucket.left += owed + row["granted"]
        bucket.shared = row["remaining"]
        if bucket.left <= 0 and not row["granted"]:
            bucket.refused_until_s = monotonic_s() + max(row["wait_s"], ASK_AGAIN_S)

    def _go_on_alone(self, bucket: _Bucket, error: Exception) -> None:
        bucket.alone_until_s = monotonic_s() + ALONE_S
        ALONE.add()
        logger.warning("rate_limit.alone", extra={"reason": type(error).__name__})

    async def _forget_idle(self, connection: Connection) -> None:
        self.questions += 1
        if self.questions % _FORGET_EVERY == 0:
            idle_s = max(_FORGET_IDLE_S, self._burst_s)
            await connection.execute(SQL.forget_idle, idle_s, _FORGOTTEN_AT_A_TIME)
