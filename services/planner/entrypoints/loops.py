"""What happens because time passes: planning ahead, releasing, asking again, upkeep."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

from contracts.kinds import Kind
from libs.broker import Publisher
from libs.clock import Clock
from libs.httpapi.answers.forgetting import forget_old_answers
from libs.postgres.types import Pool
from libs.telemetry.tracing import span
from services.planner.adapters import metrics
from services.planner.adapters.releases import NextRelease, Taken
from services.planner.app.adopting import replan_next
from services.planner.app.filing import file_next_people, note_new_kinds
from services.planner.app.opening import cut_next_day, measure_horizon, open_days_ahead
from services.planner.app.planning import note_planned_days, plan_next_slice
from services.planner.app.redriving import count_aside
from services.planner.app.releasing import ask_again, find_window, look_out, release_due
from services.planner.app.upkeep import (
    close_done_days,
    forget_old,
    keep_partitions,
    partitions_ahead_days,
)
from services.planner.domain.room import Room

_AT_ONCE_S = 0.0
_HELD_BY_OTHERS_S = 0.05
_NO_ROOM_S = 0.25
_BATCHES_AT_ONCE = 4
_PLAN_EVERY_S = 10.0
_PLAN_EVERY = timedelta(minutes=10)
_PEOPLE_FILED_AT_ONCE = 1000
_ASK_EVERY_S = 5.0
_KEEP_EVERY_S = 600.0
_KEEP_EVERY = timedelta(hours=6)


class Planning(msgspec.Struct, frozen=True):
    """Opens days ahead of the calendar and plans them, one slice a step; files new kinds.

    Before all that it finishes what adopting a release of the zone data has left.
    """

    pool: Pool
    clock: Clock
    kinds: Mapping[str, Kind]
    horizon_days: int
    slice_size: int

    async def step(self) -> float:
        """Do the most urgent piece of planning there is."""
        now, kinds = self.clock.now(), self.kinds.values()
        await open_days_ahead(self.pool, now=now, horizon_days=self.horizon_days)
        if await replan_next(self.pool, self.kinds, now=now):
            return _AT_ONCE_S
        if await cut_next_day(self.pool, kinds, now=now, slice_size=self.slice_size):
            return _AT_ONCE_S
        with span("slice.plan", is_root=True):
            rows = await plan_next_slice(self.pool, kinds, now=now)
        if rows is not None:
            metrics.PLANNED.add(rows)
            return _AT_ONCE_S
        await note_planned_days(self.pool, now=now)
        await note_new_kinds(self.pool, self.kinds)
        if await file_next_people(self.pool, self.kinds, now=now, limit=_PEOPLE_FILED_AT_ONCE):
            return _AT_ONCE_S
        horizon = await measure_horizon(self.pool, kinds, now=now)
        metrics.HORIZON_HOURS.set(horizon.ahead / timedelta(hours=1))
        metrics.OPEN_DAYS.set(horizon.open_days)
        return real_pause_s(_PLAN_EVERY, self.clock, longest_s=_PLAN_EVERY_S)


class Releasing(msgspec.Struct, frozen=True):
    """Releases what is due the moment it is."""

    pool: Pool
    publisher: Publisher
    clock: Clock
    kinds: Mapping[str, Kind]
    batch_size: int
    room: Room
    pause_max_s: float
    ask_after: timedelta

    async def step(self) -> float:
        """Release what is due of every day, a few batches each; sleep until the next instant."""
        now = self.clock.now()
        mark = self.room.begin_count()
        outlook = await look_out(self.pool, now=now, upto=self.room.limit)
        if outlook is None:
            return self.pause_max_s
        self.room.end_count(mark, outlook.unanswered)
        metrics.BACKLOG.set(outlook.unanswered)
        due = [one for one in outlook.upcoming if one.release_at <= now]
        if not due:
            return self._until_next(outlook.upcoming, now=now)
        return await self._release(due, now)

    async def _release(self, due: Sequence[NextRelease], now: datetime) -> float:
        """Release what there is room for; return how long to sleep then.

        Where the room is used up the next look comes after a while: else what is answered meanwhile
        would be released in ever smaller batches, each at the cost of a large one.

        A day gives batches as long as they are full, up to a few: looking out counts what is under
        way, which costs as much as a good part of a batch.
        """
        count = 0
        for one in due:
            for _ in range(_BATCHES_AT_ONCE):
                with self.room.share(self.batch_size) as share:
                    if not share.rows:
                        return _NO_ROOM_S
                    taken = await self._release_batch(one.local_day, limit=share.rows, now=now)
                    share.released = sum(row.verdict == "released" for row in taken)
                count += len(taken)
                if len(taken) < share.rows:
                    break
        return _AT_ONCE_S if count else _HELD_BY_OTHERS_S

    async def _release_batch(self, day: date, *, limit: int, now: datetime) -> list[Taken]:
        with span("plan.release", kind="producer", is_root=True):
            taken = await release_due(
                self.pool,
                self.publisher,
                day,
                kinds=self.kinds,
                now=now,
                limit=limit,
                ask_after=self.ask_after,
            )
        _measure(taken, self.clock.now())
        return taken

    def _until_next(self, upcoming: Sequence[NextRelease], *, now: datetime) -> float:
        if not upcoming:
            return self.pause_max_s
        ahead = upcoming[0].release_at - now
        return real_pause_s(ahead, self.clock, longest_s=self.pause_max_s)


class Reconciling(msgspec.Struct, frozen=True):
    """Asks again for releases that nobody answered."""

    pool: Pool
    publisher: Publisher
    clock: Clock
    batch_size: int
    ask_after: timedelta

    async def step(self) -> float:
        """Ask for one batch of them."""
        now = self.clock.now()
        window = await find_window(self.pool, now=now)
        if window is None:
            return _ASK_EVERY_S
        with span("release.ask_again", kind="producer", is_root=True):
            asked = await ask_again(
                self.pool,
                self.publisher,
                window,
                now=now,
                limit=self.batch_size,
                ask_after=self.ask_after,
            )
        metrics.ASKED_AGAIN.add(asked)
        if asked == self.batch_size:
            return _AT_ONCE_S
        return min(self.ask_after.total_seconds() / 4, _ASK_EVERY_S)


class Upkeep(msgspec.Struct, frozen=True):
    """Keeps partitions ahead, closes days, forgets what is old, counts what waits for a person."""

    pool: Pool
    clock: Clock
    kinds: Mapping[str, Kind]
    retention_days: int

    async def step(self) -> float:
        """Do all of it once."""
        now = self.clock.now()
        await keep_partitions(self.pool, now=now)
        await close_done_days(self.pool, self.kinds.values(), now=now)
        await forget_old(self.pool, now=now, retention_days=self.retention_days)
        await forget_old_answers(self.pool)
        metrics.PARTITIONS_AHEAD_DAYS.set(await partitions_ahead_days(self.pool, now=now))
        metrics.SET_ASIDE_WAITING.set(await count_aside(self.pool))
        return real_pause_s(_KEEP_EVERY, self.clock, longest_s=_KEEP_EVERY_S)


def real_pause_s(ahead: timedelta, clock: Clock, *, longest_s: float) -> float:
    """Return how many real seconds ``ahead`` on the calendar lasts, at most ``longest_s``."""
    if clock.rate == 0:
        return longest_s
    return min(max(ahead.total_seconds() / clock.rate, 0.0), longest_s)


def _measure(taken: Sequence[Taken], now: datetime) -> None:
    for verdict, count in Counter(row.verdict for row in taken).items():
        metrics.TAKEN.add(count, verdict=verdict)
    metrics.RELEASE_LATENESS_SECONDS.observe_all(
        (now - row.due_at).total_seconds()
        for row in taken
        if row.verdict == "released" and row.release == 1
    )
