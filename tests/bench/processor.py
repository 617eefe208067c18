"""CPU time by group of processes, the servers of this run included."""

import functools
import os
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from tests.bench.family import Running, all_running, family_of, find_listener

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_GROUPS = (
    ("services.user", "user"),
    ("services.planner", "planner"),
    ("services.dispatcher", "dispatcher"),
    ("deploy.demo.inbox", "provider stub"),
    ("_worker", "rival"),
    ("tests.bench.noop_service", "no-op"),
    ("tests.bench", "bench"),
)
_SERVERS = (
    ("postgresql", "postgres", "JUBILEE_TEST_DATABASE_URL", 5432),
    ("rabbitmq", "beam", "JUBILEE_TEST_BROKER_URL", 5672),
)


class Usage(msgspec.Struct, frozen=True):
    """What a span of work cost: real seconds, and CPU seconds by group."""

    wall_s: float
    cpu_s: dict[str, float]

    def total_s(self) -> float:
        """Return the CPU seconds of all processes but the benchmark's own."""
        return sum(cpu for group, cpu in self.cpu_s.items() if group != "bench")


class Meter:
    """Measures this process, what it started and its two servers from its making until ``read``.

    A server is whoever listens on the port of its URL; other servers of the machine count only
    where that cannot be seen, because then everything of the server's name does. Looked for once:
    servers outlive a run.
    """

    def __init__(self) -> None:
        self._servers = {
            group: _find_server(variable, port) for group, _, variable, port in _SERVERS
        }
        self._started_s = time.perf_counter()
        self._before = self._look()

    def read(self) -> Usage:
        """Return what was used since the meter was made; ended processes count while they ran."""
        wall_s = time.perf_counter() - self._started_s
        by_group: dict[str, float] = {}
        for key, ticks in self._look().items():
            used_s = (ticks - self._before.get(key, 0)) / _TICKS_PER_S
            by_group[key[0]] = by_group.get(key[0], 0.0) + used_s
        return Usage(wall_s, {group: round(cpu, 3) for group, cpu in by_group.items() if cpu})

    def _look(self) -> dict[tuple[str, int, str], int]:
        """Return the ticks so far by group, process id and start time."""
        running = all_running()
        found = {(group, one.pid, one.started): one.ticks for group, one in _ours(running)}
        for group, name, _, _ in _SERVERS:
            # A server's connections come and go: what ended counts with those that reaped it.
            members = _members(self._servers[group], name, running)
            found[group, 0, ""] = sum(one.ticks + one.ticks_of_ended_children for one in members)
        return found


@functools.cache
def _find_server(variable: str, default_port: int) -> int | None:
    url = os.environ.get(variable)
    return find_listener(urlsplit(url).port or default_port) if url else None


def _members(server: int | None, name: str, running: Mapping[int, Running]) -> list[Running]:
    if server is not None:
        return family_of(server, running)
    return [one for one in running.values() if name in one.command]


def _ours(running: Mapping[int, Running]) -> Iterator[tuple[str, Running]]:
    """Yield group and process of this one and all below; an unknown one is of its parent's."""
    groups: dict[int, str] = {}
    for one in family_of(os.getpid(), running):
        known = next((group for part, group in _GROUPS if part in one.command), None)
        groups[one.pid] = known or groups.get(one.parent, "bench")
        yield groups[one.pid], one


def reference_loop_s() -> float:
    """Return the CPU seconds of a fixed piece of arithmetic: how fast this machine is now."""
    started_s = time.process_time()
    total = 0
    for number in range(3_000_000):
        total += number * number % 7
    return time.process_time() - started_s
