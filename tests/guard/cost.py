"""What one item costs at a hop."""

from typing import Literal

import msgspec

Figure = Literal["calls", "statements", "pages", "rows_read", "rows_written", "disk_bytes", "cpu"]


class Counts(msgspec.Struct, frozen=True):
    """Of one item, on average: Python calls, and what the server was made to do.

    ``pages`` are those of tables and indexes that were looked at, in memory or not.
    """

    calls: float
    statements: float
    pages: float
    rows_read: float
    rows_written: float


class Cpu(msgspec.Struct, frozen=True):
    """CPU of a thousand items in multiples of the fixed work beside it; milliseconds of that work.

    ``server`` is None where the server's process is not to be seen.
    """

    python: float
    server: float | None
    python_ms: float
    server_ms: float | None


class Cost(msgspec.Struct, frozen=True):
    """What an item costs, counted, and what CPU it takes; by how much it lets tables grow."""

    counts: Counts
    cpu: Cpu
    disk_bytes: float

    def get(self, figure: Figure) -> float | None:
        """Return one figure; the CPU's is that of both processes."""
        if figure == "cpu":
            return None if self.cpu.server is None else self.units
        value: float = getattr(self if figure == "disk_bytes" else self.counts, figure)
        return value

    @property
    def units(self) -> float:
        """CPU of a thousand items in multiples of the fixed work, as far as it is to be seen."""
        return self.cpu.python + (self.cpu.server or 0.0)

    def cheapest(self, other: "Cost") -> "Cost":
        """Return the less of each count, and the CPU of the run that took less."""
        counts = {
            name: min(getattr(self.counts, name), getattr(other.counts, name))
            for name in Counts.__struct_fields__
        }
        by_cpu = min(self, other, key=lambda cost: cost.units)
        return Cost(Counts(**counts), by_cpu.cpu, min(self.disk_bytes, other.disk_bytes))
