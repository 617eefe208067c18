"""A lean HTTP/1.1 client: keeps connections, one request after the other on each.

A full client would cost more than the server that is measured.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec


class Answers(msgspec.Struct, frozen=True):
    """How long each answer took, in seconds, and how long all of it did."""

    latencies_s: list[float]
    wall_s: float

    @property
    def per_s(self) -> float:
        """Return the answers per second."""
        return len(self.latencies_s) / self.wall_s

    def percentile_ms(self, share: float) -> float:
        """Return the latency, in milliseconds, that ``share`` of the answers did not exceed."""
        return percentile_ms(self.latencies_s, share)


def percentile_ms(values_s: Sequence[float], share: float) -> float:
    """Return, in milliseconds, what ``share`` of the values did not exceed."""
    ordered = sorted(values_s)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 2)


async def post_all(
    url: str,
    bodies: Sequence[bytes],
    *,
    authorization: str,
    connections: int,
    per_s: float | None = None,
    wanted: Callable[[int], bool] = lambda status: status < 300,
) -> Answers:
    """Post every body to ``url`` over ``connections``; at most ``per_s`` begin in a second.

    Raises:
        RuntimeError: an answer was not ``wanted``.
    """
    parts = urlsplit(url)
    requests = [
        _head("POST", parts.path, parts.netloc, authorization)
        + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
        for body in bodies
    ]
    return await _ask_all(url, requests, connections, per_s, wanted)


async def get_all(
    url: str, paths: Sequence[str], *, authorization: str, connections: int
) -> Answers:
    """Get every one of ``paths`` at the host of ``url`` over ``connections``.

    Raises:
        RuntimeError: an answer was none of success.
    """
    host = urlsplit(url).netloc
    requests = [_head("GET", path, host, authorization) + b"\r\n" for path in paths]
    return await _ask_all(url, requests, connections, None, lambda status: status < 300)


def _head(method: str, path: str, host: str, authorization: str) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n"
    ).encode()


async def _ask_all(
    url: str,
    requests: Sequence[bytes],
    connections: int,
    per_s: float | None,
    wanted: Callable[[int], bool],
) -> Answers:
    parts = urlsplit(url)
    if parts.hostname is None:
        raise ValueError(f"{url} names no host")
    waiting = iter(enumerate(requests))
    latencies: list[float] = []
    started_s = time.perf_counter()

    async def work() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            for number, request in waiting:
                if per_s is not None:
                    await asyncio.sleep(started_s + number / per_s - time.perf_counter())
                asked_s = time.perf_counter()
                writer.write(request)
                status = await _read_answer(reader)
                latencies.append(time.perf_counter() - asked_s)
                if not wanted(status):
                    raise RuntimeError(f"{url} answered {status}")
        finally:
            writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return Answers(latencies, time.perf_counter() - started_s)


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))
            break
    return int(head[9:12])
