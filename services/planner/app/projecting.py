"""Takes in what is new about people: recipients, their celebrations, their rows in open days."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from contracts.kinds import Kind
from libs.postgres.types import Connection, Pool
from services.planner.adapters.celebrations import file_celebrations, remove_celebrations
from services.planner.adapters.days import (
    list_days_after,
    lock_days_shared,
    reopen_pending,
)
from services.planner.adapters.plan import change_plan, lock_unanswered, read_by_index
from services.planner.adapters.recipients import (
    insert_recipients,
    lock_recipients,
    update_recipients,
)
from services.planner.adapters.set_aside import forget_people
from services.planner.adapters.zone_data import hold_zone_data
from services.planner.app.judging import celebrations, rescheduled
from services.planner.app.planning import plan_celebrations
from services.planner.domain.celebration import Celebration
from services.planner.domain.horizon import last_closable_day
from services.planner.domain.recipient import Recipient


class Renewal(msgspec.Struct, frozen=True):
    """A person as known before (None: not at all) and as known now."""

    former: Recipient | None
    current: Recipient


async def project_people(
    pool: Pool,
    people: Sequence[Recipient],
    kinds: Mapping[str, Kind],
    *,
    now: datetime,
    told_at: datetime | None = None,
) -> int:
    """Take in ``people`` as their events tell; return how many of them were news.

    The highest version of a person wins, whatever comes before it, after it or twice. Versions of
    one person are taken in one after the other, because each may move what the one before made
    owed. All of it is one transaction, in which no day is opened or closed.

    ``told_at`` is when the user service recorded the first of them, by default ``now``. What they
    made owed on days that have been closed since is planned as well: it is too late for a mail,
    and listed as expired instead of having never been.

    Raises:
        UnstorableError: a value is out of bounds; nothing was taken in.
        OtherZoneDataError: the plan is made by another release; nothing was taken in.
    """
    news = 0
    async with pool.acquire() as connection, connection.transaction():
        await hold_zone_data(connection)
        await lock_days_shared(connection)
        last_done = last_closable_day(told_at or now, kinds.values())
        days = await list_days_after(connection, last_done)
        open_days = list(days)
        for wave in waves(people):
            renewals = await _take_in(connection, wave)
            filed = await _file(connection, renewals, kinds)
            await _move_planned(connection, renewals, kinds, open_days=open_days, now=now)
            await plan_celebrations(connection, filed, kinds.values(), open_days=open_days)
            news += len(renewals)
        await forget_people(connection, [one.person_id for one in people if one.is_erased])
        if closed := [day for day, is_closed in days.items() if is_closed]:
            await reopen_pending(connection, closed)
    return news


def waves(people: Iterable[Recipient]) -> Iterator[list[Recipient]]:
    """Yield batches with each person at most once, a person's versions in ascending order."""
    rest = sorted(people, key=lambda person: person.version)
    while rest:
        wave: dict[UUID, Recipient] = {}
        later = [p for p in rest if wave.setdefault(p.person_id, p) is not p]
        yield list(wave.values())
        rest = later


async def _take_in(connection: Connection, people: Sequence[Recipient]) -> list[Renewal]:
    """Write who is new or newer than known, and return them with what was known.

    A first version is nearly always of somebody nobody knew: it is written without a look.
    """
    inserted = await insert_recipients(connection, [one for one in people if one.version == 1])
    rest = [one for one in people if one.person_id not in inserted]
    known = await _known(connection, rest)
    unknown = [one for one in rest if one.person_id not in known]
    inserted |= await insert_recipients(connection, unknown)
    known |= await _known(connection, [p for p in unknown if p.person_id not in inserted])
    renewals = [
        Renewal(known.get(person.person_id), person)
        for person in people
        if person.person_id in inserted or person.version > known[person.person_id].version
    ]
    await update_recipients(connection, [r.current for r in renewals if r.former is not None])
    return renewals


async def _known(connection: Connection, people: Sequence[Recipient]) -> dict[UUID, Recipient]:
    """Return what is known of ``people``, whose rows are held from now on."""
    return await lock_recipients(connection, [p.person_id for p in people]) if people else {}


async def _file(
    connection: Connection, renewals: Sequence[Renewal], kinds: Mapping[str, Kind]
) -> list[Celebration]:
    """Bring the celebrations of ``renewals`` up to date; return those that are new or changed."""
    gone: list[Celebration] = []
    filed: list[Celebration] = []
    for renewal in renewals:
        former = _celebrations(renewal.former, kinds)
        current = _celebrations(renewal.current, kinds)
        gone += [former[key] for key in former.keys() - current.keys()]
        filed += [current[key] for key in current if current[key] != former.get(key)]
    await remove_celebrations(connection, gone)
    await file_celebrations(connection, filed)
    return filed


def _celebrations(
    recipient: Recipient | None, kinds: Mapping[str, Kind]
) -> dict[tuple[int, str], Celebration]:
    found = [] if recipient is None else celebrations(recipient, kinds.values())
    return {(one.bucket, one.kind): one for one in found}


async def _move_planned(
    connection: Connection,
    renewals: Sequence[Renewal],
    kinds: Mapping[str, Kind],
    *,
    open_days: Sequence[date],
    now: datetime,
) -> None:
    """Move, cancel or end what is planned for people whose schedule changed or who came back."""
    moved = {r.current.person_id: r.current for r in renewals if _is_rescheduled(r)}
    if not moved:
        return
    rows = await lock_unanswered(connection, sorted(moved), open_days)
    changes = (
        rescheduled(row, moved[row.person_id], kinds.get(row.kind))
        for row in rows
        if row.state != "released"
    )
    await read_by_index(connection)
    await change_plan(connection, [change for change in changes if change], now=now)


def _is_rescheduled(renewal: Renewal) -> bool:
    former = renewal.former
    return former is not None and (
        former.schedule_version < renewal.current.schedule_version
        or former.opted_in_since != renewal.current.opted_in_since
    )
