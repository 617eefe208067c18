"""Stands in for the world's mail providers: ``python -m deploy.demo.inbox --help``.

Takes mail by SMTP, by ``POST /send-email`` and by Postmark's batch interface, shows it on a page,
and errs as ordered. Prints one JSON line with its ports when it is ready and ends on SIGTERM.
``INBOX_HOST``, ``INBOX_SMTP_PORT``, ``INBOX_HTTP_PORT`` and ``INBOX_LEDGER`` stand in for options
that are not given; port 0 takes a free one.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from deploy.demo.faults import FaultBox, Faults
from deploy.demo.http_sink import HttpSession
from deploy.demo.inbox_http import InboxHttp
from deploy.demo.mail_store import MailStore
from deploy.demo.smtp_sink import SmtpSession
from deploy.demo.vendors import Vendors
from deploy.demo.witness_clock import read_clock


def main() -> None:
    """Run the inbox until SIGTERM or SIGINT."""
    uvloop.install()
    asyncio.run(_serve(_options(sys.argv[1:])))


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    clock = read_clock(os.environ.get("JUBILEE_CLOCK"))
    store = MailStore(clock, ledger=options.ledger, lean=options.lean)
    faults = FaultBox(_ordered(options), seed=options.seed)
    answer = InboxHttp(store, faults, Vendors(store, faults, lean=options.lean)).answer
    smtp = await loop.create_server(
        lambda: SmtpSession(store, faults, lean=options.lean),
        options.host,
        options.smtp_port,
        backlog=1024,
    )
    http = await loop.create_server(
        lambda: HttpSession(answer), options.host, options.http_port, backlog=1024
    )
    _announce(options.host, smtp_port=_port(smtp), http_port=_port(http))
    await stopped.wait()


def _announce(host: str, *, smtp_port: int, http_port: int) -> None:
    ready = {"smtp_port": smtp_port, "http_port": http_port, "url": f"http://{host}:{http_port}/"}
    print(msgspec.json.encode(ready).decode(), flush=True)


def _ordered(options: argparse.Namespace) -> Faults:
    return Faults(
        vendor_failures=options.vendor_failures, vendor_latency_ms=options.vendor_latency_ms
    )


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def _options(arguments: list[str]) -> argparse.Namespace:
    given = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.inbox", description=__doc__)
    parser.add_argument("--host", default=given("INBOX_HOST", "127.0.0.1"))
    parser.add_argument("--smtp-port", type=int, default=given("INBOX_SMTP_PORT", "1025"))
    parser.add_argument("--http-port", type=int, default=given("INBOX_HTTP_PORT", "8025"))
    parser.add_argument(
        "--ledger",
        type=Path,
        default=given("INBOX_LEDGER"),
        help="append every mail to this file, one JSON line each",
    )
    parser.add_argument("--lean", action="store_true", help="keep only occurrence and time")
    parser.add_argument("--seed", type=int, default=1, help="of the random failures")
    parser.add_argument("--vendor-failures", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--vendor-latency-ms", type=_bounds, default=(0.0, 0.0), metavar="LOW,HIGH")
    return parser.parse_args(arguments)


def _bounds(text: str) -> tuple[float, float]:
    lowest, highest = (float(part) for part in text.split(","))
    return lowest, highest


if __name__ == "__main__":
    main()
