"""Sets the stage: everybody imported, projected and planned, the processes stopped again."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec

from tests.bench import crowd
from tests.support.town import AUTHORIZATION, BIRTHDAY, Town, until

EVENING_BEFORE = "2027-03-09T12:00:00Z;rate=0"
"""Before the first zone's 09:00 of the birthday, so that everybody is registered in time."""
_CHUNK_LINES = 2_000
_PLANNED_WITHIN_S = 1_800.0
_BAR_WIDTH = 40


class Cast(msgspec.Struct, frozen=True):
    """Everybody on stage: the zone of each person's id, and what it took to get them there."""

    zone_of: dict[str, str]
    import_s: float
    projected_s: float
    planned_s: float


async def set_stage(town: Town, zones: Sequence[str]) -> Cast:
    """Import one person per zone of ``zones``, wait until the day is planned, stop everything."""
    names = ("user", "planner", "dispatcher-1")
    for name in names:
        await town.start(name, env={"JUBILEE_CLOCK": EVENING_BEFORE})
    started_s = time.perf_counter()
    zone_of = await import_people(town, zones, birthday=f"1990-{BIRTHDAY[5:]}")
    import_s = time.perf_counter() - started_s
    projected_s = await _wait_until_projected(town, len(zones), started_s)
    planned_s = await _wait_until_planned(town, len(zones), started_s)
    for name in names:
        await town.system.stop(name)
    return Cast(zone_of, import_s, projected_s, planned_s)


async def import_people(town: Town, zones: Sequence[str], *, birthday: str) -> dict[str, str]:
    """Import everybody through the public endpoint; return the zone of each person's id."""
    started_s = time.perf_counter()
    headers: Mapping[str, str] = AUTHORIZATION | {"Content-Type": "application/x-ndjson"}
    url = town.system.url("user") + "/v1/users/import"
    body = _chunks(crowd.lines(zones, birthday=birthday))
    zone_of: dict[str, str] = {}
    async with town.session.post(url, data=body, headers=headers, timeout=None) as response:
        async for line in response.content:
            outcome = json.loads(line)
            if outcome.get("status") != "created":
                raise RuntimeError(f"a line was not imported: {outcome}")
            zone_of[outcome["id"]] = zones[outcome["line"] - 1]
            if len(zone_of) % 5_000 == 0 or len(zone_of) == len(zones):
                show_progress("imported", len(zone_of), len(zones), started_s)
    return zone_of


async def _chunks(people: Iterator[bytes]) -> AsyncIterator[bytes]:
    chunk: list[bytes] = []
    for line in people:
        chunk.append(line)
        if len(chunk) == _CHUNK_LINES:
            yield b"".join(chunk)
            chunk.clear()
    yield b"".join(chunk)


async def _wait_until_projected(town: Town, people: int, started_s: float) -> float:
    """Wait until planner and dispatcher know everybody; return the seconds since the start."""

    async def look() -> bool | None:
        await asyncio.sleep(0.2)
        recipients = (await town.ask("planner", "SELECT count(*) FROM recipients"))[0]
        contacts = (await town.ask("dispatcher", "SELECT count(*) FROM contacts"))[0]
        show_progress("projected", min(recipients, contacts), people, started_s)
        return recipients == contacts == people or None

    await until(look, timeout_s=_PLANNED_WITHIN_S)
    return time.perf_counter() - started_s


async def _wait_until_planned(town: Town, people: int, started_s: float) -> float:
    """Wait until the plan owes everybody; return the seconds since the start."""

    async def look() -> bool | None:
        owed = (await town.ledger())["owed"]
        show_progress("planned", owed, people, started_s)
        return owed == people or None

    await until(look, timeout_s=_PLANNED_WITHIN_S)
    return time.perf_counter() - started_s


def show_progress(what: str, count: int, total: int, started_s: float) -> None:
    """Show a bar that grows on a terminal; elsewhere one line when all is done."""
    passed_s = max(time.perf_counter() - started_s, 0.001)
    bar = "█" * (count * _BAR_WIDTH // max(total, 1))
    text = f"{what:<10}{bar:<{_BAR_WIDTH}} {count:>9,} of {total:,}  {count / passed_s:>7,.0f}/s"
    if sys.stderr.isatty():
        ending = "\n" if count >= total else "\r"
        print(text, end=ending, file=sys.stderr, flush=True)
    elif count >= total:
        print(text, file=sys.stderr, flush=True)
