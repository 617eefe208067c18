"""A kind more is one file and one line: everything else is as it was, and the mail is sent."""

import filecmp
import shutil
import time
from pathlib import Path

import pytest

from tests.support.town import Town, a_town, until

ROOT = Path(__file__).parents[2]
REGISTERED = "2027-03-03T21:30:00Z;rate=0"
WELCOME = '''\
"""The welcome, a week after somebody has registered."""

from datetime import time, timedelta

from contracts.kinds.kind import Kind, Template

WELCOME = Kind(
    name="welcome",
    date_field="registered",
    offset_days=7,
    cadence="once",
    wall_time=time(18, 30),
    late_limit=timedelta(hours=24),
    promise="at_least_once",
    templates={
        "en": Template(
            subject="Welcome, {{ first_name }}!",
            text="Hey, {{ first_name }} {{ last_name }}, you have been with us for a week",
            html="<!doctype html><p>Hey, {{ first_name }} {{ last_name }}, welcome</p>",
        ),
    },
)
'''


def a_tree_with_the_welcome(folder: Path) -> Path:
    """Return a folder whose ``contracts`` are ours but for one file and one line."""
    shutil.copytree(ROOT / "contracts", folder / "contracts")
    kinds = folder / "contracts" / "kinds"
    (kinds / "welcome.py").write_text(WELCOME, encoding="utf-8")
    listed = (kinds / "__init__.py").read_text(encoding="utf-8")
    (kinds / "__init__.py").write_text(
        listed.replace('    "anniversary",\n', '    "anniversary",\n    "welcome",\n'), "utf-8"
    )
    compared = filecmp.dircmp(ROOT / "contracts" / "kinds", kinds, ignore=["__pycache__"])
    assert (compared.right_only, compared.diff_files) == (["welcome.py"], ["__init__.py"])
    return folder


def running_from(wall_time: str) -> str:
    return f"2027-03-10T{wall_time}Z;rate=1;since={time.time():.3f}"


async def start(town: Town, name: str, tree: Path, clock: str) -> None:
    """Start a service of ours that finds the contracts of ``tree`` instead of its own."""
    env = {"PYTHONSAFEPATH": "1", "PYTHONPATH": f"{tree}:{ROOT}", "JUBILEE_CLOCK": clock}
    await town.start(name, env=env)


@pytest.mark.edge_case("EC-AN-015", "EC-ST-001", "EC-ST-009", "EC-ST-011")
async def test_a_third_kind_is_planned_and_sent(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    tree = a_tree_with_the_welcome(tmp_path / "tree")
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await start(town, "user", tree, REGISTERED)
        berliner = await town.register(1, birthday=None, timezone="Europe/Berlin")
        await town.register(2, birthday=None, timezone="Europe/Berlin", opt_outs=["welcome"])
        islander = await town.register(3, birthday=None, timezone="Pacific/Kiritimati")
        await start(town, "dispatcher", tree, running_from("17:29:55"))
        await start(town, "planner", tree, running_from("17:29:55"))

        async def look() -> list[dict[str, str]] | None:
            return [mail for mail in await town.mails() if mail["to"] == "ada1@example.com"] or None

        (mail,) = await until(look, timeout_s=60)
        assert mail["subject"] == "Welcome, Ada!"
        # Where it was 4 March already, the week is over on the eleventh.
        assert await until(lambda: two_planned(town)) == [
            f"{berliner} 2027-03-10 welcome 10 17:30 11 17:30",
            f"{islander} 2027-03-11 welcome 11 04:30 12 04:30",
        ]
        assert len(await town.mails()) == 1


async def two_planned(town: Town) -> list[str] | None:
    """Return the plan's rows, with when they are due and when too late, once there are two."""
    row = await town.ask(
        "planner",
        "SELECT array_agg(person_id::text || ' ' || local_day || ' ' || kind || ' '"
        " || to_char(due_at AT TIME ZONE 'UTC', 'DD HH24:MI') || ' '"
        " || to_char(expires_at AT TIME ZONE 'UTC', 'DD HH24:MI') ORDER BY due_at) FROM plan",
    )
    rows: list[str] = row[0] or []
    return rows if len(rows) >= 2 else None
