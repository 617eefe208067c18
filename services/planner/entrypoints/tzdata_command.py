"""The command ``tzdata``: what a release of the zone data moves, told and done."""

import argparse
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from libs.localtime import TZDATA_VERSION, ZoneData
from services.planner.app.adopting import Adoption
from services.planner.domain.zone_moves import Comparison, Moved, ZoneMove

COMMAND = "tzdata"

_DESCRIPTION = """\
A planner computes every instant by the zone data of its own tzdata package, and the plan notes by
which release it is made. Planners with another release refuse to work. After an upgrade of the
package, stop the planners that have the older one and run this: it has the new release count, moves
exactly the pending rows that are due at another instant now, and says which."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    action: Literal["adopt", "preview", "compare"]
    former: ZoneData | None = None
    first: date | None = None
    last: date | None = None


def parse(arguments: Sequence[str]) -> Wanted:
    """Return what ``tzdata …`` asks for; a wrong line ends the process, as does --help."""
    parser = argparse.ArgumentParser(
        prog=f"python -m services.planner {COMMAND}", description=_DESCRIPTION
    )
    parser.add_argument(
        "--preview", action="store_true", help="only say which rows would move; change nothing"
    )
    parser.add_argument(
        "--compare",
        metavar="FOLDER",
        type=_folder,
        help="list the zone-days that differ from a folder of compiled zones; change nothing",
    )
    parser.add_argument("--release", default="the folder", help="what to call the folder's release")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="YYYY-MM-DD")
    found = parser.parse_args(list(arguments))
    if found.compare is None:
        return Wanted(action="preview" if found.preview else "adopt")
    return Wanted(
        action="compare",
        former=ZoneData(found.release, found.compare),
        first=found.first,
        last=found.last,
    )


def adoption_lines(adoption: Adoption, *, is_done: bool) -> Iterator[str]:
    """Yield the report of what an adoption moves, or has moved."""
    former = adoption.former or "none"
    yield f"zone data {former} -> {adoption.release}"
    yield from map(_moved_line, adoption.moves)
    verb = "moved" if is_done else "would move"
    yield f"{adoption.rows} rows {verb}, all others stay as they are"


def comparison_lines(comparison: Comparison, former: ZoneData) -> Iterator[str]:
    """Yield the report of how two releases differ."""
    yield f"zone data {former.release} -> {TZDATA_VERSION}"
    yield from map(_move_line, comparison.moves)
    for word, names in (("gone", comparison.gone), ("new", comparison.added)):
        if names:
            yield f"{word}: {', '.join(names)}"
    zones = {move.zone for move in comparison.moves}
    yield f"{sum(move.days for move in comparison.moves)} zone-days move in {len(zones)} zones"


def _moved_line(move: Moved) -> str:
    return (
        f"{move.local_day} {move.zone} {move.kind}: {move.due_at:%Y-%m-%dT%H:%MZ} ->"
        f" {move.new_due_at:%Y-%m-%dT%H:%MZ} ({_signed(move.new_due_at - move.due_at)}),"
        f" {move.rows} rows"
    )


def _move_line(move: ZoneMove) -> str:
    days = f"{move.first_day}" if move.days == 1 else f"{move.first_day} to {move.last_day}"
    return (
        f"{move.zone} {days} {move.wall_time:%H:%M}: {move.before:%H:%MZ} ->"
        f" {move.after:%H:%MZ} ({_signed(move.later_by)})"
    )


def _signed(difference: timedelta) -> str:
    minutes = round(difference / timedelta(minutes=1))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60}:{abs(minutes) % 60:02}"


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return folder
