"""Mails per second over one HTTP request each by the client alone: ours, and aiohttp.

Both write the same requests over the same number of connections to an inbox in a process of its
own, and read an id from every answer.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from libs.clock import monotonic_s
from libs.ids import occurrence_uuid
from services.dispatcher.adapters.mime import OCCURRENCE_HEADER
from services.dispatcher.adapters.providers.http_connections import read_http_url
from services.dispatcher.adapters.providers.vendor import VendorProvider
from services.dispatcher.domain.delivery import Accepted
from services.dispatcher.domain.greeting import Mail
from tests.bench.processor import Meter
from tests.integration.dispatcher.providers import a_mail

MAILS = 20_000
CONNECTIONS = 32
BATCH = 500
UNDER_WAY = 4
TIMEOUT_S = 30.0

Send = Callable[[str, Sequence[Mail]], Awaitable[int]]


async def measure(send: Send, what: str) -> dict[str, Any]:
    """Send ``MAILS`` by ``send`` and return rate and cost, the inbox's included."""
    mails = [a_mail(number) for number in range(MAILS)]
    inbox = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.demo.inbox",
        "--lean", "--smtp-port", "0", "--http-port", "0",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert inbox.stdout is not None
    url = json.loads(await inbox.stdout.readline())["url"]
    try:
        meter = Meter()
        accepted = await send(url, mails)
        usage = meter.read()
    finally:
        inbox.terminate()
        await inbox.wait()
    if accepted != len(mails):
        raise RuntimeError(f"{accepted} of {len(mails)} accepted")
    return {
        "what": what,
        "items": MAILS,
        "per_s": round(MAILS / usage.wall_s),
        # The client is this very process; nobody else has a part in it.
        "cpu_ms_per_1000": round(
            (usage.cpu_s["bench"] + usage.cpu_s["provider stub"]) / MAILS * 1e6, 1
        ),
        "usage": usage,
    }


async def send_by_ours(url: str, mails: Sequence[Mail]) -> int:
    """Send as the dispatcher does: batches of 500, four under way."""
    provider = VendorProvider(read_http_url(url), connections=CONNECTIONS, timeout_s=TIMEOUT_S)
    batches = [mails[start : start + BATCH] for start in range(0, len(mails), BATCH)]
    under_way = asyncio.Semaphore(UNDER_WAY)

    async def one(batch: Sequence[Mail]) -> int:
        async with under_way:
            results = await provider.deliver(batch, start_before_s=monotonic_s() + 600)
        return sum(isinstance(result, Accepted) for result in results)

    accepted = sum(await asyncio.gather(*map(one, batches)))
    await provider.close()
    return accepted


async def send_by_aiohttp(url: str, mails: Sequence[Mail]) -> int:
    """Send the same requests by as many workers over kept connections of aiohttp."""
    taken, waiting = msgspec.json.Decoder(dict[str, str]), iter(mails)
    target = f"{url.rstrip('/')}/send-email"

    async def work(session: aiohttp.ClientSession) -> int:
        accepted = 0
        for mail in waiting:
            async with session.post(
                target,
                data=msgspec.json.encode({"email": mail.recipient, "message": mail.text}),
                headers={
                    "Content-Type": "application/json",
                    "Idempotency-Key": occurrence_uuid(mail.occurrence),
                    OCCURRENCE_HEADER: mail.occurrence,
                },
                allow_redirects=False,
            ) as response:
                accepted += "messageId" in taken.decode(await response.read())
        return accepted

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        return sum(await asyncio.gather(*(work(session) for _ in range(CONNECTIONS))))
