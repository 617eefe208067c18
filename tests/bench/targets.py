"""The targets, one row each, and what a run has to say about them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

Results = Mapping[str, Mapping[str, Any]]
"""What was measured, by the name of the benchmark."""
Verdict = Literal["pass", "miss", "not measured"]


class Figure(msgspec.Struct, frozen=True):
    """One number of one benchmark; a name that ends in ``*`` stands for the best rate of many."""

    of: str
    key: str = "per_s"

    def read(self, results: Results) -> float | None:
        """Return the number, None where it was not measured."""
        found = [
            result[self.key]
            for name, result in results.items()
            if _is_named(name, self.of) and self.key in result
        ]
        return max(found, default=None)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure, or how many times the figure ``over``, has to be at least or at most."""

    stage: str
    figure: Figure
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    beyond: float | None = None
    over: Figure | None = None

    @property
    def limit(self) -> float:
        """The bound, whichever side it is on."""
        bound = self.at_least if self.at_least is not None else self.at_most
        if bound is None:
            raise ValueError(f"{self.stage} ({self.unit}) has no bound")
        return bound

    def measured(self, results: Results) -> float | None:
        """Return the number to be judged, None where a part of it was not measured."""
        value = self.figure.read(results)
        if value is None or self.over is None:
            return value
        base = self.over.read(results)
        return value / base if base else None


class Judged(msgspec.Struct, frozen=True):
    """A target beside what was measured; ``of_limit`` is 1 or more where it is met."""

    target: Target
    measured: float | None
    of_limit: float | None
    verdict: Verdict
    cpu_ms_per_1000: float | None


def judge(target: Target, results: Results) -> Judged:
    """Return what ``results`` say about ``target``."""
    measured = target.measured(results)
    cost = Figure(target.figure.of, "cpu_ms_per_1000").read(results)
    if measured is None:
        return Judged(target, None, None, "not measured", cost)
    of_limit = _of_limit(target, measured)
    return Judged(target, measured, of_limit, "pass" if of_limit >= 1 else "miss", cost)


def _of_limit(target: Target, measured: float) -> float:
    if target.at_least is not None:
        return measured / target.at_least
    return target.limit / measured if measured > 0 else float("inf")


def _is_named(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


_BATCH = "herd, batch provider"
_SINGLE = "herd, one request per mail"
_SMTP = "herd, SMTP"
_PLAN = "plan a day"
_WIDE = "claim 500 in 40 partitions"
_IMPORT = "import"
_RELAY = "relay, one row per event"
_WRITE = "single write, 32 connections"
_SCATTER = "scattered sends"
_GROWTH = "growth"

TARGETS = (
    Target(
        stage=_BATCH,
        figure=Figure("herd-postmark"),
        unit="mails/s",
        at_least=15_000,
        beyond=30_000,
    ),
    Target(
        stage=_BATCH,
        figure=Figure("herd-postmark", "cpu_ms_per_1000"),
        unit="CPU ms per 1,000",
        at_most=110,
        beyond=50,
    ),
    Target(
        stage=_BATCH,
        figure=Figure("herd-postmark", "last_after_due_s"),
        unit="s to the last mail",
        at_most=8,
    ),
    Target(
        stage=_BATCH,
        figure=Figure("herd-postmark"),
        unit="x the best rival",
        at_least=15,
        beyond=30,
        over=Figure("rival-*"),
    ),
    Target(
        stage=_BATCH,
        figure=Figure("herd-postmark"),
        unit="x Celery",
        at_least=30,
        over=Figure("rival-celery"),
    ),
    Target(
        stage=_SINGLE,
        figure=Figure("herd-vendor"),
        unit="mails/s",
        at_least=4_500,
        beyond=12_000,
    ),
    Target(
        stage=_SINGLE,
        figure=Figure("herd-vendor", "cpu_ms_per_1000"),
        unit="CPU ms per 1,000",
        at_most=300,
        beyond=100,
    ),
    Target(
        stage=_SINGLE,
        figure=Figure("herd-vendor"),
        unit="x the best rival",
        at_least=4,
        beyond=12,
        over=Figure("rival-*"),
    ),
    Target(stage=_SMTP, figure=Figure("herd-smtp"), unit="mails/s", at_least=5_000, beyond=9_000),
    Target(
        stage=_SMTP,
        figure=Figure("herd-smtp"),
        unit="x aiosmtplib alone",
        at_least=2,
        beyond=3.5,
        over=Figure("smtp-aiosmtplib"),
    ),
    # Twelve seconds for a million, whatever the size measured.
    Target(stage=_PLAN, figure=Figure("planning"), unit="rows/s", at_least=83_334, beyond=125_000),
    Target(
        stage=_PLAN,
        figure=Figure("planning", "rss_mib_at_most"),
        unit="MiB of the planner",
        at_most=80,
    ),
    Target(
        stage="claim and publish due rows",
        figure=Figure("release"),
        unit="rows/s",
        at_least=50_000,
        beyond=150_000,
    ),
    Target(stage=_WIDE, figure=Figure("claim-wide", "p99_ms"), unit="ms p99", at_most=25, beyond=5),
    Target(
        stage=_WIDE,
        figure=Figure("claim-wide", "p50_ms"),
        unit="x without history",
        at_most=1.1,
        over=Figure("claim-wide", "p50_ms_without_history"),
    ),
    Target(stage=_IMPORT, figure=Figure("import"), unit="people/s", at_least=25_000, beyond=60_000),
    Target(
        stage=_IMPORT,
        figure=Figure("import", "planner_per_s"),
        unit="projected/s, planner",
        at_least=25_000,
        beyond=60_000,
    ),
    Target(
        stage=_IMPORT,
        figure=Figure("import", "dispatcher_per_s"),
        unit="projected/s, dispatcher",
        at_least=25_000,
        beyond=60_000,
    ),
    Target(stage=_RELAY, figure=Figure("relay"), unit="rows/s", at_least=15_000, beyond=40_000),
    Target(stage=_RELAY, figure=Figure("lag", "p99_ms"), unit="ms lag p99", at_most=100),
    Target(
        stage=_RELAY,
        figure=Figure("lag", "p99_ms_beside_a_foreign_transaction"),
        unit="ms, foreign transaction",
        at_most=100,
    ),
    Target(
        stage=_RELAY,
        figure=Figure("relay"),
        unit="x faststream-outbox",
        at_least=5,
        beyond=12,
        over=Figure("relay-faststream-outbox"),
    ),
    Target(
        stage=_WRITE, figure=Figure("writes", "ratio_to_noop"), unit="x a no-op POST", at_least=0.5
    ),
    Target(
        stage=_WRITE,
        figure=Figure("writes", "half_load_p99_ms"),
        unit="ms p99 at half load",
        at_most=25,
    ),
    Target(
        stage="appends",
        figure=Figure("appends"),
        unit="x eventsourcing",
        at_least=4,
        beyond=6,
        over=Figure("append-eventsourcing"),
    ),
    Target(stage=_SCATTER, figure=Figure("scatter", "p50_ms"), unit="ms late p50", at_most=100),
    Target(stage=_SCATTER, figure=Figure("scatter", "p99_ms"), unit="ms late p99", at_most=1_000),
    Target(
        stage="restart after 1 h down",
        figure=Figure("overdue"),
        unit="x the herd",
        at_least=0.9,
        over=Figure("herd-postmark"),
    ),
    Target(
        stage="memory",
        figure=Figure("herd-postmark", "rss_mib_at_most"),
        unit="MiB at most",
        at_most=120,
        beyond=80,
    ),
    Target(
        stage=_GROWTH,
        figure=Figure("growth-large", "cpu_ms_per_1000"),
        unit="x CPU, many mails",
        at_most=1.1,
        over=Figure("growth-small", "cpu_ms_per_1000"),
    ),
    Target(
        stage=_GROWTH,
        figure=Figure("growth-history", "cpu_ms_per_1000"),
        unit="x CPU, after history",
        at_most=1.1,
        over=Figure("growth-small", "cpu_ms_per_1000"),
    ),
)


def judge_all(results: Results) -> Sequence[Judged]:
    """Return every target beside what was measured."""
    return [judge(target, results) for target in TARGETS]
