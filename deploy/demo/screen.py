"""Shows the run: a screen that renews itself on a terminal, plain lines elsewhere."""

import shutil
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TextIO

import msgspec

from deploy.demo.people import DEMO_DAY
from deploy.demo.progress import EASTMOST_BAND, WESTMOST_BAND, Lateness, nine_at

_COLUMNS = 3
_BAR_CELLS = 10
_MOST_NOTES = 10
_LINES_WITHOUT_NOTES = 18
_PLAIN_EVERY_S = 2.0
_GREEN, _YELLOW, _RED, _DIM, _BOLD, _PLAIN = (
    f"\x1b[{code}m" for code in ("32", "1;33", "1;31", "2", "1", "0")
)
_BANDS = range(EASTMOST_BAND, WESTMOST_BAND - 1, -1)


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the screen shows at one moment. Counts by band are (arrived, owed)."""

    now: datetime
    rate: float
    inbox_url: str
    bands: dict[int, tuple[int, int]]
    account: dict[str, int]
    duplicates: int
    early: int
    lateness: Lateness | None


class Screen:
    """Prints frames and notes to ``out``; with ``live`` it draws in place."""

    def __init__(self, out: TextIO = sys.stdout, *, live: bool | None = None) -> None:
        self._out = out
        self._live = out.isatty() if live is None else live
        self._began_s = time.monotonic()
        self._notes: list[str] = []
        self._lines_drawn = 0
        self._next_plain_s = 0.0

    def say(self, sentence: str) -> None:
        """Print one line."""
        print(sentence, file=self._out, flush=True)

    def note(self, sentence: str) -> None:
        """Show that something happened and when, in the frame while one is drawn in place."""
        note = f"{self._elapsed_s():6.1f} s  {sentence}"
        self._notes.append(note)
        if not self._lines_drawn:
            self.say(note)

    def show(self, frame: Frame) -> None:
        """Show where the run is."""
        elapsed_s = self._elapsed_s()
        if self._live:
            self._draw(drawn(frame, self._latest_notes()))
        elif elapsed_s >= self._next_plain_s:
            self._next_plain_s = elapsed_s + _PLAIN_EVERY_S
            self.say(f"{elapsed_s:6.1f} s  {spoken(frame)}")

    def leave(self) -> None:
        """Leave the last frame standing and print below it from now on."""
        self._lines_drawn = 0

    def _draw(self, lines: Sequence[str]) -> None:
        up = f"\x1b[{self._lines_drawn}A" if self._lines_drawn else ""
        text = "".join(f"\x1b[2K{line}\n" for line in lines)
        self._out.write(f"{up}\r{text}\x1b[J")
        self._out.flush()
        self._lines_drawn = len(lines)

    def _latest_notes(self) -> list[str]:
        room = shutil.get_terminal_size().lines - _LINES_WITHOUT_NOTES - 1
        return self._notes[-max(1, min(room, _MOST_NOTES)) :]

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s


def drawn(frame: Frame, notes: Sequence[str]) -> list[str]:
    """Return the lines of the screen, at most 80 cells wide."""
    title = f"Jubilee: one world day, {DEMO_DAY:%-d %B %Y}"
    rate = f"{frame.rate:,.0f} times as fast"
    cells = [_band(band, frame) for band in _BANDS]
    rows = len(cells) // _COLUMNS
    return [
        f" {_BOLD}{title}{_PLAIN}{_DIM}{rate:>{78 - len(title)}}{_PLAIN}",
        f" UTC {frame.now:%Y-%m-%d %H:%M}   {_YELLOW}{_nine(frame.now)}{_PLAIN}",
        "",
        *("  ".join(cells[row::rows]) for row in range(rows)),
        "",
        f" {_arrived(frame)}",
        f" {_account(frame)}",
        f" {lateness_text(frame.lateness)}",
        f" {_DIM}read the mails at {frame.inbox_url}{_PLAIN}",
        "",
        *(f" {_RED if 'SIGKILL' in note else _DIM}{note[:78]}{_PLAIN}" for note in notes),
    ]


def spoken(frame: Frame) -> str:
    """Return the frame as one line."""
    return f"{frame.now:%m-%d %H:%M}Z  {_nine(frame.now)}; {_arrived(frame)}; {_account(frame)}"


def _band(band: int, frame: Frame) -> str:
    """Return 25 cells: the hours from UTC, a bar, and how many of how many have arrived.

    The band whose whole hour 09:00 reached last is marked: its mails come now.
    """
    arrived, owed = frame.bands.get(band, (0, 0))
    is_now = -(-nine_at(frame.now) // timedelta(hours=1)) == band
    filled = _BAR_CELLS * arrived // owed if owed else 0
    colour = _YELLOW if is_now else _GREEN
    bar = f"{colour}{'█' * filled}{_PLAIN}{_DIM}{'░' * (_BAR_CELLS - filled)}{_PLAIN}"
    marker = f"{_YELLOW}▶{_PLAIN}" if is_now else " "
    return f"{marker}{band:+03} {bar} {f'{arrived}/{owed}':<9}"


def _nine(now: datetime) -> str:
    offset = nine_at(now)
    if offset > timedelta(hours=EASTMOST_BAND):
        return "09:00 is nowhere yet"
    if offset < timedelta(hours=WESTMOST_BAND):
        return "09:00 has been everywhere"
    minutes = int(offset / timedelta(minutes=1))
    sign = "-" if minutes < 0 else "+"
    return f"it is 09:00 at UTC{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _arrived(frame: Frame) -> str:
    arrived, owed = (sum(counts) for counts in zip(*frame.bands.values(), strict=True))
    return f"in the inbox {arrived:,} of {owed:,}, twice {frame.duplicates}, early {frame.early}"


def _account(frame: Frame) -> str:
    shown = ("owed", "accepted", "pending", "unknown")
    return "ledger " + ", ".join(f"{word} {frame.account.get(word, 0):,}" for word in shown)


def lateness_text(late: Lateness | None) -> str:
    """Return how late the mails were in real time."""
    if late is None:
        return "no mail yet"
    return (
        f"real time after 09:00: half within {late.median_ms:,.0f} ms, "
        f"99 % within {late.p99_ms:,.0f} ms"
    )
