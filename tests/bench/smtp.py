"""Mails per second over SMTP by the client alone: ours, and aiosmtplib over kept connections.

Both write the same mails over the same number of connections to an inbox in a process of its own.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiosmtplib

from libs.clock import monotonic_s
from services.dispatcher.adapters.mime import MimeWriter
from services.dispatcher.adapters.providers.smtp import SmtpProvider
from services.dispatcher.adapters.providers.smtp_url import read_smtp_url
from services.dispatcher.domain.delivery import Accepted
from services.dispatcher.domain.greeting import Mail
from tests.bench.processor import Meter
from tests.integration.dispatcher.providers import SENDER, a_mail

MAILS = 20_000
CONNECTIONS = 16
BATCH = 500
UNDER_WAY = 4
TIMEOUT_S = 30.0

Send = Callable[[int, Sequence[Mail]], Awaitable[None]]


async def measure(send: Send, what: str) -> dict[str, Any]:
    """Send ``MAILS`` by ``send`` and return rate and cost, the inbox's included."""
    mails = [a_mail(number) for number in range(MAILS)]
    inbox = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.demo.inbox",
        "--lean", "--smtp-port", "0", "--http-port", "0",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert inbox.stdout is not None
    port = json.loads(await inbox.stdout.readline())["smtp_port"]
    try:
        meter = Meter()
        await send(port, mails)
        usage = meter.read()
    finally:
        inbox.terminate()
        await inbox.wait()
    return {
        "what": what,
        "items": MAILS,
        "per_s": round(MAILS / usage.wall_s),
        # The client is this very process.
        "cpu_ms_per_1000": round(sum(usage.cpu_s.values()) / MAILS * 1e6, 1),
        "usage": usage,
    }


async def send_by_ours(port: int, mails: Sequence[Mail]) -> None:
    """Send as the dispatcher does: batches of 500, four under way."""
    provider = SmtpProvider(
        read_smtp_url(f"smtp://127.0.0.1:{port}?connections={CONNECTIONS}"),
        sender=SENDER,
        timeout_s=TIMEOUT_S,
        lookup_delay_s=0.0,
    )
    batches = [mails[start : start + BATCH] for start in range(0, len(mails), BATCH)]
    under_way = asyncio.Semaphore(UNDER_WAY)

    async def one(batch: Sequence[Mail]) -> int:
        async with under_way:
            results = await provider.deliver(batch, start_before_s=monotonic_s() + 600)
        return sum(isinstance(result, Accepted) for result in results)

    accepted = sum(await asyncio.gather(*map(one, batches)))
    await provider.close()
    if accepted != len(mails):
        raise RuntimeError(f"{accepted} of {len(mails)} accepted")


async def send_by_aiosmtplib(port: int, mails: Sequence[Mail]) -> None:
    """Send the same bytes over as many kept connections of aiosmtplib."""
    writer, waiting = MimeWriter(SENDER), iter(mails)

    async def work() -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=TIMEOUT_S)
        await client.connect()
        for mail in waiting:
            await client.sendmail(SENDER.mailbox, [mail.recipient], writer.write(mail))
        await client.quit()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
