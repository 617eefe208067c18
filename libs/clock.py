"""The one place that asks for the time.

Calendar time is the database server's clock, interpolated by this machine's monotonic clock. It is
read so that it can lag the server by a round trip, never lead it: a wrong clock of this machine
cannot make anything early. A virtual clock maps that time on another calendar, alike in every
process.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

import asyncpg
import msgspec

from libs.postgres.types import Pool

logger = logging.getLogger(__name__)

_SAMPLES_KEPT = 12
_SAMPLE_EVERY_S = 5.0
# The monotonic clock may run faster than the server's by this much between two samples.
_DRIFT_PER_S = 0.0005
# By how much two samples may disagree through drift alone, over all samples kept.
_DRIFT_S = _DRIFT_PER_S * _SAMPLES_KEPT * _SAMPLE_EVERY_S


class ClockSpecError(ValueError):
    """``JUBILEE_CLOCK`` cannot be read, or is not allowed here; the text says what to write."""


class Clock(Protocol):
    """Calendar time, and how fast it runs."""

    @property
    def rate(self) -> float:
        """Calendar seconds per real second; 1 for the real clock, 0 for a frozen one."""
        ...

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


def monotonic_s() -> float:
    """Return seconds that only ever grow, for measuring intervals."""
    return time.monotonic()


def unix_s() -> float:
    """Return real Unix time by this machine's clock: for what others stamped, such as tokens.

    Nothing is due by it.
    """
    return time.time()


class VirtualTime(msgspec.Struct, frozen=True):
    """Another calendar: it showed ``start`` at the real instant ``since_s`` (Unix seconds) and runs
    ``rate`` times as fast; before ``since_s`` it shows earlier times."""

    start: datetime
    rate: float
    since_s: float

    def at(self, real: datetime) -> datetime:
        """Return what the virtual calendar shows at the ``real`` instant."""
        if self.rate == 0:
            return self.start
        return self.start + timedelta(seconds=(real.timestamp() - self.since_s) * self.rate)


REAL_TIME = VirtualTime(datetime.fromtimestamp(0, UTC), 1.0, 0.0)


def parse_clock(spec: str | None, *, env: str) -> VirtualTime:
    """Read ``<start>;rate=<n>;since=<unix seconds>``; None or nothing means real time.

    Raises:
        ClockSpecError: the text is malformed, or ``env`` is ``production``.
    """
    if not spec:
        return REAL_TIME
    if env == "production":
        raise ClockSpecError("JUBILEE_CLOCK is refused in production: unset it")
    start_text, *options = (part.strip() for part in spec.split(";"))
    given = dict(_option(option) for option in options)
    rate = given.get("rate", 1.0)
    if rate < 0:
        raise ClockSpecError("JUBILEE_CLOCK: rate must be 0 (frozen) or more")
    if rate and "since" not in given:
        raise ClockSpecError(
            "JUBILEE_CLOCK: give since=<unix seconds>, the real instant at which it shows the start"
        )
    return VirtualTime(_start(start_text), rate, given.get("since", 0.0))


def _option(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in {"rate", "since"}:
        raise ClockSpecError(f"JUBILEE_CLOCK: unknown option {name!r}, known are rate and since")
    try:
        return name, float(value)
    except ValueError as error:
        raise ClockSpecError(f"JUBILEE_CLOCK: {name} must be a number, not {value!r}") from error


def _start(text: str) -> datetime:
    try:
        start = datetime.fromisoformat(text)
    except ValueError as error:
        raise ClockSpecError(
            f"JUBILEE_CLOCK: the start must be like 2026-06-14T18:30:00Z, not {text!r}"
        ) from error
    if start.tzinfo is None:
        raise ClockSpecError("JUBILEE_CLOCK: the start needs an offset or Z")
    return start.astimezone(UTC)


class FrozenClock:
    """A clock that stands still until it is moved."""

    rate = 0.0

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move the clock by ``by``."""
        self._at += by

    def set(self, at: datetime) -> None:
        """Make the clock show ``at``."""
        self._at = at.astimezone(UTC)


class SystemClock:
    """The database server's time, or a virtual calendar mapped on it."""

    def __init__(self, virtual: VirtualTime = REAL_TIME) -> None:
        self._virtual = virtual
        self._samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES_KEPT)

    @property
    def rate(self) -> float:
        return self._virtual.rate

    def now(self) -> datetime:
        return self._virtual.at(self.real_now())

    def real_now(self) -> datetime:
        """Return the database server's time, at most a round trip behind it, never ahead."""
        monotonic = monotonic_s()
        # Each sample alone is a lower bound; the greatest of them is the best one.
        offset = max(
            lower_bound - (monotonic - taken) * _DRIFT_PER_S for taken, lower_bound in self._samples
        )
        return datetime.fromtimestamp(monotonic + offset, UTC)

    def observe(self, server_time: datetime, *, asked_at_s: float, answered_at_s: float) -> None:
        """Take in that the server showed ``server_time`` between question and answer.

        The server read its clock before it answered, so by then its time was at least this: an
        offset computed from the moment of the answer can only be too small. One computed from the
        moment of the question can only be too great: older samples above it come from before the
        server's clock was set back, and are forgotten.
        """
        greatest = server_time.timestamp() - asked_at_s
        sound = [sample for sample in self._samples if sample[1] <= greatest + _DRIFT_S]
        self._samples.clear()
        self._samples.extend(sound)
        self._samples.append((answered_at_s, server_time.timestamp() - answered_at_s))

    async def correct(self, pool: Pool) -> None:
        """Ask the server once."""
        async with pool.acquire() as connection:
            asked_at_s = monotonic_s()
            server_time = await connection.fetchval("SELECT clock_timestamp()")
            self.observe(server_time, asked_at_s=asked_at_s, answered_at_s=monotonic_s())


@contextlib.asynccontextmanager
async def open_clock(pool: Pool, spec: str | None, *, env: str) -> AsyncIterator[SystemClock]:
    """Yield a clock that keeps itself corrected for as long as the context lasts.

    Raises:
        ClockSpecError: ``spec`` is malformed or not allowed in ``env``.
    """
    clock = SystemClock(parse_clock(spec, env=env))
    await clock.correct(pool)
    correcting = asyncio.create_task(_keep_correct(clock, pool), name="clock")
    try:
        yield clock
    finally:
        correcting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await correcting


async def _keep_correct(clock: SystemClock, pool: Pool) -> None:
    """Correct the clock regularly; without the server it goes on by the monotonic clock."""
    while True:
        await asyncio.sleep(_SAMPLE_EVERY_S)
        try:
            await clock.correct(pool)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            logger.warning("clock.uncorrected", extra={"error": type(error).__name__})
