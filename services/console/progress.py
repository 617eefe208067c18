"""Shows how far a long command is: a bar on a terminal, a line now and then elsewhere."""

from typing import Final, TextIO

from libs.clock import monotonic_s

_BAR_CELLS: Final = 30
_REDRAW_S: Final = 0.1
_PLAIN_EVERY_S: Final = 5.0
_ERASE: Final = "\r\x1b[K"


class Progress:
    """``total`` is None where nobody knows how much there is."""

    def __init__(self, out: TextIO, *, total: int | None, done: int = 0) -> None:
        self._out = out
        self._total = total
        self._is_live = out.isatty()
        self._began_s = monotonic_s()
        self._began_at = done
        self._next_s = self._began_s + (0 if self._is_live else _PLAIN_EVERY_S)
        self._is_drawn = False

    def show(self, done: int, note: str = "") -> None:
        """Show that ``done`` of the total are done, if it is time to show anything."""
        if monotonic_s() < self._next_s:
            return
        self._next_s = monotonic_s() + (_REDRAW_S if self._is_live else _PLAIN_EVERY_S)
        text = self._text(done, note)
        self._out.write(f"{_ERASE}{text}" if self._is_live else f"{text}\n")
        self._out.flush()
        self._is_drawn = self._is_live

    def clear(self) -> None:
        """Take the bar away, so that a line can be written."""
        if self._is_drawn:
            self._out.write(_ERASE)
            self._out.flush()
            self._is_drawn = False

    def _text(self, done: int, note: str) -> str:
        elapsed_s = monotonic_s() - self._began_s
        rate = (done - self._began_at) / elapsed_s if elapsed_s > 0 else 0.0
        pace = f"{rate:,.0f}/s  {note}".rstrip()
        if not self._total:
            return f"{done:,}  {pace}"
        share = min(done / self._total, 1.0)
        filled = int(share * _BAR_CELLS)
        bar = "█" * filled + "·" * (_BAR_CELLS - filled)
        left_s = (self._total - done) / rate if rate else 0.0
        return f"{bar} {share:4.0%}  {done:,} of {self._total:,}  {pace}  {_span(left_s)} left"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
