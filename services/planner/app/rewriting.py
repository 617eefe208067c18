"""Writes people anew as the log tells them, with what hangs on them, whatever the tables said."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from contracts.kinds import Kind
from libs.postgres.types import Connection
from services.planner.adapters.celebrations import (
    CelebrationKey,
    file_celebrations,
    list_celebrations_after,
    remove_celebrations,
)
from services.planner.adapters.days import list_open_days, lock_days_shared
from services.planner.adapters.plan import (
    change_plan,
    doubt_unrequested,
    lock_unanswered,
    read_by_index,
)
from services.planner.adapters.recipients import (
    insert_recipients,
    lock_recipients,
    update_recipients,
)
from services.planner.adapters.zone_data import hold_zone_data
from services.planner.app.judging import celebrations, rescheduled
from services.planner.app.planning import plan_celebrations
from services.planner.domain.recipient import Recipient


async def rewrite_people(
    connection: Connection,
    people: Sequence[Recipient],
    kinds: Mapping[str, Kind],
    *,
    overruled: Collection[UUID],
    now: datetime,
) -> None:
    """Write ``people`` unless a higher version is there, which counts for nothing if ``overruled``.

    Unlike a projection it trusts nothing it finds: celebrations are filed again, and what they make
    owed on open days is planned where it is missing. In the caller's transaction.
    """
    await hold_zone_data(connection)
    await lock_days_shared(connection)
    written = await _written(connection, people, overruled)
    filed = [one for person in written.values() for one in celebrations(person, kinds.values())]
    await file_celebrations(connection, filed)
    open_days = await list_open_days(connection)
    rows = await lock_unanswered(connection, sorted(written), open_days)
    changes = (
        rescheduled(row, written[row.person_id], kinds.get(row.kind))
        for row in rows
        if row.state != "released"
    )
    await change_plan(connection, [change for change in changes if change], now=now)
    await plan_celebrations(connection, filed, kinds.values(), open_days=open_days)
    # Rows may have been lost with what was known of them: the dispatcher knows what became of them.
    await read_by_index(connection)
    await doubt_unrequested(connection, sorted(written), open_days, now=now)


async def remove_stray_celebrations(
    connection: Connection,
    kinds: Mapping[str, Kind],
    *,
    after: CelebrationKey | None,
    limit: int,
) -> CelebrationKey | None:
    """Remove those of the next ``limit`` celebrations that nobody has; None after the last.

    Their people are held, so that no projection files one of them meanwhile.
    """
    found = await list_celebrations_after(connection, after, limit=limit)
    if not found:
        return None
    people = await lock_recipients(connection, sorted({one.person_id for one in found}))
    wanted = {
        (one.bucket, one.person_id, one.kind)
        for person in people.values()
        for one in celebrations(person, kinds.values())
    }
    await read_by_index(connection)
    strays = [one for one in found if (one.bucket, one.person_id, one.kind) not in wanted]
    await remove_celebrations(connection, strays)
    return found[-1]


async def _written(
    connection: Connection, people: Sequence[Recipient], overruled: Collection[UUID]
) -> dict[UUID, Recipient]:
    """Write who is not known, or not in a higher version; return them."""
    held = await lock_recipients(connection, [person.person_id for person in people])
    unknown = [person for person in people if person.person_id not in held]
    inserted = await insert_recipients(connection, unknown)
    if missed := [p.person_id for p in unknown if p.person_id not in inserted]:
        held |= await lock_recipients(connection, missed)
    written = {
        person.person_id: person
        for person in people
        if person.person_id in inserted | set(overruled)
        or person.version >= held[person.person_id].version
    }
    differing = [one for one in written.values() if held.get(one.person_id, one) != one]
    await update_recipients(connection, differing)
    return written
