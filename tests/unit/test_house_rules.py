"""Rules of this house that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in ("contracts", "libs", "services") for path in (ROOT / folder).rglob("*.py")
)
STATEMENTS = sorted(
    path for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.sql")
)
# new_id() orders ids by milliseconds; nothing is judged by them.
MAY_ASK_FOR_THE_TIME = {"libs/clock.py", "libs/ids.py"}
# The runner of loops and the consumer's edge log, pause and try again.
MAY_CATCH_EVERYTHING = {
    "libs/runtime/loops.py",
    "libs/broker/consuming.py",
}
TIMES = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "monotonic"),
    ("time", "monotonic_ns"),
    ("time", "perf_counter"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def attribute_calls(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_clock_asks_for_the_time(path: Path) -> None:
    if name_of(path) not in MAY_ASK_FOR_THE_TIME:
        assert not TIMES & set(attribute_calls(path))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_everything_is_caught_only_at_the_edge_of_a_process(path: Path) -> None:
    if name_of(path) not in MAY_CATCH_EVERYTHING:
        assert not re.search(r"except (Base)?Exception\b|except:", path.read_text("utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_are_named_after_what_they_know(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "common", "manager", "base", "misc"}


@pytest.mark.parametrize("path", STATEMENTS, ids=name_of)
def test_sql_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("-- ")
    assert not re.search(r"SELECT\s+\*", text, re.IGNORECASE)


@pytest.mark.parametrize(
    "path",
    [path for path in STATEMENTS if path.parent.name == "sql"],
    ids=name_of,
)
def test_sql_never_asks_the_server_for_calendar_time(path: Path) -> None:
    code = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
    calendar = r"\b(now\(\)|current_timestamp|current_date|localtimestamp)"
    assert not re.search(calendar, code, re.IGNORECASE)
