"""``python -m tests.bench.tables``: the tables of the documents, from what is recorded.

``--write`` puts each between its two marks in the documents; a test compares them.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.bench import scaling
from tests.bench.targets import judge_all

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "docs" / "measurements"
DOCUMENTS: Final = tuple(ROOT / name for name in ("docs/performance.md", "docs/scaling.md"))
_BLOCK: Final = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_ROLES: Final = ("planner", "dispatcher", "postgresql", "rabbitmq", "provider stub")
_SHOWN: Final = ("herd-postmark", "herd-vendor", "herd-smtp", "overdue")


def main() -> int:
    """Print the tables, or write them into the documents."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tables", description=__doc__)
    parser.add_argument("--write", action="store_true", help="bring the documents up to date")
    options = parser.parse_args()
    if options.write:
        for document in DOCUMENTS:
            document.write_text(filled(document.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    for name, table in TABLES.items():
        print(f"{name}\n\n{''.join(f'{line}{chr(10)}' for line in table())}")
    return 0


def filled(text: str) -> str:
    """Return a document's text with every table between its marks as it is recorded now."""

    def fill(block: re.Match[str]) -> str:
        return block[1] + "".join(f"{line}\n" for line in TABLES[block[2]]()) + block[4]

    return _BLOCK.sub(fill, text)


def targets() -> Iterator[str]:
    """Yield every target beside what the newest recorded run measured."""
    name, run = _newest()
    judged = judge_all({result["name"]: result for result in run["results"]})
    yield from _where(name, run)
    yield "| target | measured | wanted | beyond | CPU ms per 1,000 | |"
    yield "|---|---|---|---|---|---|"
    for one in judged:
        side = "≥" if one.target.at_least is not None else "≤"
        yield (
            f"| {one.target.stage} | {_number(one.measured)} {one.target.unit}"
            f" | {side} {_number(one.target.limit)} | {_number(one.target.beyond)}"
            f" | {_number(one.cpu_ms_per_1000)} | {one.verdict} |"
        )


def rates() -> Iterator[str]:
    """Yield everything the newest recorded run measured, rivals included."""
    name, run = _newest()
    yield from _where(name, run)
    yield "| measured | items | per second | CPU ms per 1,000 |"
    yield "|---|---|---|---|"
    for result in run["results"]:
        yield (
            f"| {result['what']} | {result['items']:,} | {result['per_s']:,}"
            f" | {_number(result.get('cpu_ms_per_1000'))} |"
        )


def roles() -> Iterator[str]:
    """Yield what each role used for a thousand mails of each herd."""
    _, run = _newest()
    yield f"| herd | all | {' | '.join(_ROLES)} |"
    yield "|---|---|" + "---|" * len(_ROLES)
    for result in run["results"]:
        if result["name"] in _SHOWN:
            used = result["usage"]["cpu_s"]
            cells = [f"{used.get(role, 0.0) / result['items'] * 1e6:,.0f}" for role in _ROLES]
            yield f"| {result['what']} | {result['cpu_ms_per_1000']:,.0f} | {' | '.join(cells)} |"


def processes() -> Iterator[str]:
    """Yield the herds that one, two and four processes of each role sent."""
    _, run = _newest()
    yield "| | mails/s | first mail after nine | machine busy with it | CPU ms per 1,000 |"
    yield "|---|---|---|---|---|"
    for result in run["results"]:
        if result["name"].startswith("processes-"):
            yield (
                f"| {result['what']} | {result['per_s']:,} | {result['first_after_due_s']:.2f} s"
                f" | {result['busy_share']:.0%} | {result['cpu_ms_per_1000']:,.0f} |"
            )


def growth() -> Iterator[str]:
    """Yield the points of both growth curves."""
    run = _read("growth.json")
    yield from _where("growth.json", run)
    yield "| mails at once | rows of earlier mails | people | mails/s | CPU ms per 1,000 |"
    yield "|---|---|---|---|---|"
    for point in (*run["by_mails"], *run["by_history"]):
        yield (
            f"| {point['mails']:,} | {point['history_rows']:,} | {point['people']:,}"
            f" | {point['per_s']:,} | {point['cpu_ms_per_1000']:,.0f} |"
        )


def day() -> Iterator[str]:
    """Yield the account of the recorded day."""
    run = _read("day.json")
    yield from _where("day.json", run)
    zones = sorted(run["zones"], key=lambda zone: -zone["mails"])
    yield "| zone | mails | late p50 | late p99 | last |"
    yield "|---|---|---|---|---|"
    for zone in zones[:8]:
        late = " | ".join(f"{zone[key]:.2f} s" for key in ("p50_s", "p99_s", "max_s"))
        yield f"| {zone['zone']} | {zone['mails']:,} | {late} |"
    yield ""
    yield "| process | MiB at first | at most | at last |"
    yield "|---|---|---|---|"
    for process, series in sorted(run["memory"].items()):
        mib = [value for _, value in series]
        name = process.partition(" ")[0].removeprefix("services.")
        yield f"| {name} | {mib[0]:.0f} | {max(mib):.0f} | {mib[-1]:.0f} |"
    yield ""
    ledger = ", ".join(f"{name} {count:,}" for name, count in run["ledger"].items())
    yield (
        f"{run['mails']:,} mails in {run['sweep_s']:,.0f} s,"
        f" {run['busiest_second_mails']:,} in the busiest second,"
        f" {run['cpu_ms_per_1000']:,.0f} CPU ms per 1,000. Ledger: {ledger}; counted by the"
        f" provider {run['counted_by_the_provider']:,}, twice {run['duplicates']}, early"
        f" {run['early']}."
    )


def reckoning() -> Iterator[str]:
    """Yield what larger days take by the newest recorded run."""
    yield from scaling.lines(*_newest())


TABLES: Final[Mapping[str, Callable[[], Iterator[str]]]] = {
    table.__name__: table for table in (targets, rates, roles, growth, day, processes, reckoning)
}


def _newest() -> tuple[str, dict[str, Any]]:
    path = scaling.newest_run(RECORDED)
    return path.name, _read(path.name)


def _read(name: str) -> dict[str, Any]:
    return msgspec.json.decode((RECORDED / name).read_bytes(), type=dict[str, Any])


_ROUNDS = " What is compared with each other: medians of {} rounds, measured in turns."


def _where(name: str, run: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"[{name}](measurements/{name}), commit {run['commit']}, {run['at'][:10]},"
        f" {run['cores']} cores, {run['memory_gib']:.0f} GiB."
        f"{_ROUNDS.format(run['rounds']) if 'rounds' in run else ''}"
    )
    yield ""


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return (
        f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:.2g}"
    )


if __name__ == "__main__":
    sys.exit(main())
