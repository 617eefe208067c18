"""Every benchmark by name, at a size."""

import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import (
    appends,
    claims,
    deletion,
    herd,
    imports,
    lag,
    planning,
    reads,
    relay,
    scatter,
    simulation,
    smtp,
    vendor,
    writes,
)
from tests.bench.rivals.measure import COMMANDS as RIVALS
from tests.bench.rivals.measure import measure as measure_rival

Result = dict[str, Any]
Measure = Callable[[], Awaitable[Result]]

QUICK = (
    "relay", "lag", "release", "claim-wide", "planning",
    "herd-postmark", "herd-vendor", "smtp-ours", "smtp-aiosmtplib", "http-ours", "http-aiohttp",
)  # fmt: skip
"""What `make bench-quick` runs: the rows that cost seconds."""
IN_TURNS = (
    ("appends", "append-eventsourcing"),
    ("herd-postmark", "rival-pgqueuer", "rival-dramatiq", "rival-celery"),
    ("herd-smtp", "smtp-ours", "smtp-aiosmtplib"),
    ("growth-small", "growth-large", "growth-history"),
)
"""What is compared with each other: measured in turns, so that a slow minute meets all of them."""


class Sizes(msgspec.Struct, frozen=True):
    """How much of everything is measured."""

    mails: int = 20_000  # of a herd
    due: int = 100_000  # rows released
    plan_rows: int = 1_000_000  # of the plan that is wide and old
    owed: int = 100_000  # of a planned day
    people: int = 1_000_000  # of which those are
    imported: int = 50_000  # people
    few: int = 10_000  # mails of a day that is compared with one of many, or after history
    many: int = 100_000
    history: int = 1_000_000  # mails of earlier days

    def rival_mails(self) -> int:
        """Return the mails of a rival: fewer, since its rate does not depend on them."""
        return max(self.mails // 10, 100)


SMALL = Sizes(
    mails=5_000,
    due=20_000,
    plan_rows=100_000,
    owed=20_000,
    people=200_000,
    imported=5_000,
    few=1_000,
    many=10_000,
    history=100_000,
)
USUAL = Sizes()
FULL = Sizes(
    mails=100_000,
    due=250_000,
    plan_rows=10_000_000,
    owed=1_000_000,
    people=10_000_000,
    imported=1_000_000,
    many=1_000_000,
    history=10_000_000,
)


def all_entries(sizes: Sizes) -> Mapping[str, Measure]:
    """Return every benchmark, in the order in which a whole run makes them.

    Raises:
        KeyError: the variables that name the test servers are missing.
    """
    servers = (
        os.environ["JUBILEE_TEST_DATABASE_URL"],
        os.environ["JUBILEE_TEST_BROKER_URL"],
        os.environ["JUBILEE_TEST_BROKER_API"],
    )
    return {
        "relay": lambda: relay.measure(*servers),
        "relay-faststream-outbox": lambda: relay.measure_faststream_outbox(*servers),
        "lag": lambda: lag.measure(*servers),
        "deletion": _in_folder(deletion.measure, *servers),
        "writes": _in_folder(writes.measure, *servers, writes=max(sizes.mails // 10, 200)),
        "reads": _in_folder(reads.measure, *servers, reads=max(sizes.mails // 10, 200)),
        "appends": lambda: appends.measure(servers[0]),
        "append-eventsourcing": lambda: appends.measure_eventsourcing(servers[0]),
        "release": lambda: claims.measure_release(*servers, rows=sizes.due),
        "claim-wide": lambda: claims.measure_wide(servers[0], rows=sizes.plan_rows),
        "planning": _in_folder(planning.measure, *servers, owed=sizes.owed, people=sizes.people),
        "simulation": lambda: simulation.measure(servers[0], with_what_if=False),
        "simulation-what-if": lambda: simulation.measure(servers[0], with_what_if=True),
        "import": _in_folder(imports.measure, *servers, people=sizes.imported),
        "scatter": _in_folder(scatter.measure, *servers),
        **_herds(servers, sizes),
        "smtp-ours": lambda: smtp.measure(smtp.send_by_ours, "SMTP client, ours"),
        "smtp-aiosmtplib": lambda: smtp.measure(
            smtp.send_by_aiosmtplib, "SMTP client, aiosmtplib pooled"
        ),
        "http-ours": lambda: vendor.measure(vendor.send_by_ours, "HTTP client, ours"),
        "http-aiohttp": lambda: vendor.measure(vendor.send_by_aiohttp, "HTTP client, aiohttp"),
        **{f"rival-{name}": _rival(name, servers, mails=sizes.rival_mails()) for name in RIVALS},
        **_growth(servers, sizes),
        **{f"processes-{count}": _fleet(count, servers, sizes) for count in (1, 2, 4)},
    }


def _herds(servers: tuple[str, ...], sizes: Sizes) -> dict[str, Measure]:
    def through(provider: str, **options: Any) -> Measure:
        return _in_folder(herd.measure, *servers, provider=provider, mails=sizes.mails, **options)

    return {
        "herd-postmark": through("postmark"),
        "herd-vendor": through("vendor"),
        "herd-smtp": through("smtp"),
        "overdue": through("postmark", late=timedelta(hours=1)),
    }


def _growth(servers: tuple[str, ...], sizes: Sizes) -> dict[str, Measure]:
    """Return herds that differ in one thing: how many mails they are, or mails of earlier days."""
    few, many = sizes.few, sizes.many

    def grown(what: str, *, mails: int, history: int = 0) -> Measure:
        async def run() -> Result:
            measure = _in_folder(
                herd.measure, *servers, provider="postmark", mails=mails, history=history
            )
            return await measure() | {"what": what}

        return run

    return {
        "growth-small": grown(f"herd of {few:,}", mails=few),
        "growth-large": grown(f"herd of {many:,}", mails=many),
        "growth-history": grown(
            f"herd of {few:,} after {sizes.history:,}", mails=few, history=sizes.history
        ),
    }


def _fleet(count: int, servers: tuple[str, ...], sizes: Sizes) -> Measure:
    """Return a herd sent by ``count`` planners and as many dispatchers."""
    numbers = range(2, count + 1)
    workers = (
        "planner",
        *(f"planner-{number}" for number in numbers),
        "dispatcher",
        *(f"dispatcher-{number}" for number in numbers),
    )

    async def run() -> Result:
        measure = _in_folder(
            herd.measure, *servers, provider="postmark", mails=sizes.mails, workers=workers
        )
        return await measure() | {"what": f"herd, {count} planners, {count} dispatchers"}

    return run


def _in_folder(measure: Callable[..., Awaitable[Result]], *servers: str, **options: Any) -> Measure:
    """Return ``measure`` with a folder that is deleted after it."""

    async def run() -> Result:
        with tempfile.TemporaryDirectory() as folder:
            return await measure(*servers, folder=Path(folder), **options)

    return run


def _rival(name: str, servers: tuple[str, ...], *, mails: int) -> Measure:
    return lambda: measure_rival(name, *servers, mails=mails)
