"""What a range of days will bring, over HTTP and on a real database; nothing is written by it."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest

from contracts.kinds import KINDS, Kind
from contracts.recipient_events import RecipientBlocksChanged
from libs.httpapi.keys import ApiKeys, new_key
from libs.httpapi.serve import HttpServer
from libs.postgres.types import Connection, Pool
from libs.runtime.health import Health
from services.planner.adapters.accounts import list_occurrences
from services.planner.adapters.blocks import find_blocks
from services.planner.adapters.holds import list_person_cancellations, list_person_pauses
from services.planner.app.blocking import project_blocks
from services.planner.app.cancelling import cancel
from services.planner.app.pausing import pause
from services.planner.app.simulating import Question, simulate
from services.planner.domain.facts import Facts, PlannedDay
from services.planner.domain.recipient import Recipient
from services.planner.domain.simulation import Group, Setting, decisions_on
from services.planner.entrypoints.api import create_api
from tests.integration.planner.world import World
from tests.support.recipients import LONG_AGO, a_recipient, changed, day

KEY, TOKEN = new_key("tests", ["plans:read"])
OTHER, OTHER_TOKEN = new_key("other", ["users:read"])
Simulate = Callable[..., Awaitable[Any]]
FEBRUARY = {"from": "2027-02-01", "to": "2027-02-28"}


@pytest.fixture
async def call(world: World, tmp_path: Path) -> AsyncIterator[Simulate]:
    """Yield what posts a simulation and returns its status and document."""
    app = create_api(
        pool=world.pool,
        clock=world.clock,
        publisher=world.publisher,
        kinds=KINDS,
        auth=ApiKeys([KEY, OTHER]),
        health=Health(),
        zone_releases=str(tmp_path),
    )
    server = HttpServer(app, "127.0.0.1", 0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:

        async def post(asked: Any, *, token: str = TOKEN) -> tuple[int, Any]:
            headers = {"authorization": f"Bearer {token}"}
            async with session.post("/v1/simulations", json=asked, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)

        yield post
    await server.stop()
    await serving


async def test_a_range_is_told_by_minute_zone_kind_and_reason(world: World, call: Simulate) -> None:
    berlin = [a_recipient(birthday=f"19{year}-02-10") for year in (70, 80, 90)]
    others = [
        a_recipient(birthday="--02-10", zone="Asia/Kathmandu", anniversary="2019-02-14"),
        a_recipient(birthday="1990-02-10", opt_outs=("birthday",)),
        a_recipient(birthday="1990-06-10"),
        a_recipient(birthday="1990-02-10", is_active=False),
        a_recipient(anniversary="2027-02-20"),
    ]
    blocked = a_recipient(birthday="1990-02-10")
    await world.project(*berlin, *others, blocked)
    told = RecipientBlocksChanged(
        person_id=blocked.person_id, revision=1, blocks={"*": "hard_bounce"}
    )
    await project_blocks(world.pool, [told])
    status, found = await call(FEBRUARY)
    assert (status, found["people"], found["what_if"]) == (200, 8, None)
    outlook = found["as_is"]
    assert outlook["kinds"] == [
        {"kind": "anniversary", "greetings": 2, "people": 2, "people_without": 7},
        {"kind": "birthday", "greetings": 4, "people": 4, "people_without": 5},
    ]
    assert [(one["at"], one["kind"], one["greetings"]) for one in outlook["timeline"]] == [
        ("2027-02-10T03:15:00Z", "birthday", 1),
        ("2027-02-10T08:00:00Z", "birthday", 3),
        ("2027-02-14T03:15:00Z", "anniversary", 1),
        ("2027-02-20T08:00:00Z", "anniversary", 1),
    ]
    assert {"zone": "Europe/Berlin", "kind": "birthday", "greetings": 3} in outlook["zones"]
    silent = {(one["kind"], one["reason"]): one for one in outlook["nothing"]}
    counts = {reason: one["people"] for (kind, reason), one in silent.items() if kind == "birthday"}
    assert counts == {
        "opted_out": 1,
        "no_day_in_range": 1,
        "user_removed": 1,
        "no_date": 1,
        "hard_bounce": 1,
    }
    assert silent["birthday", "hard_bounce"]["examples"] == [str(blocked.person_id)]


async def test_a_changed_rule_moves_adds_and_takes_greetings(world: World, call: Simulate) -> None:
    await world.project(
        a_recipient(birthday="1990-02-10"),
        a_recipient(birthday="1992-02-29"),
        a_recipient(anniversary="2019-02-14"),
    )
    what_if = {
        "kinds": {
            "birthday": {"wall_time": "10:00:00"},
            "anniversary": None,
            "monthiversary": {"date_field": "anniversary", "cadence": "monthly"},
        },
        "leap_day": "mar1",
    }
    _, found = await call({**FEBRUARY, "what_if": what_if})
    difference = found["difference"]
    assert [difference[name] for name in ("same", "moved", "added", "gone")] == [0, 1, 1, 2]
    assert difference["moves"] == [
        {
            "kind": "birthday",
            "local_day": "2027-02-10",
            "zone": "Europe/Berlin",
            "was_at": "2027-02-10T08:00:00Z",
            "at": "2027-02-10T09:00:00Z",
            "greetings": 1,
        }
    ]
    assert (found["as_is"]["greetings"], found["what_if"]["greetings"]) == (3, 2)


async def test_other_zone_data_move_what_they_tell_otherwise(
    world: World, call: Simulate, tmp_path: Path
) -> None:
    folder = tmp_path / "2022a" / "Europe"
    folder.mkdir(parents=True)
    tokyo = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo")
    (folder / "Berlin").write_bytes(tokyo.read_bytes())
    await world.project(a_recipient(birthday="1990-02-10"), a_recipient(zone="Asia/Tokyo"))
    _, found = await call({**FEBRUARY, "what_if": {"tzdata": "2022a"}})
    (move,) = found["difference"]["moves"]
    assert (move["was_at"], move["at"]) == ("2027-02-10T08:00:00Z", "2027-02-10T00:00:00Z")
    assert found["tzdata_what_if"] == "2022a"


async def test_a_provider_and_an_outage_put_off_and_expire(world: World, call: Simulate) -> None:
    await world.project(*(a_recipient(birthday="1990-02-10", zone="UTC") for _ in range(30)))
    outage = {"from": "2027-02-10T08:00:00Z", "to": "2027-02-10T11:00:00Z"}
    what_if = {"outage": outage, "kinds": {"birthday": {"late_limit_h": 2.0025}}}
    _, found = await call({**FEBRUARY, "mails_per_s": 1, "what_if": what_if})
    assert found["as_is"]["delivery"]["most_late_s"] == 29.0
    delivery = found["what_if"]["delivery"]
    assert [delivery[name] for name in ("sent", "late", "expired")] == [10, 10, 20]
    (slot,) = found["what_if"]["timeline"]
    assert (slot["expired"], slot["last_sent_at"]) == (20, "2027-02-10T11:00:09Z")


@pytest.mark.parametrize(
    ("asked", "pointer", "code"),
    [
        ({"from": "2027-03-01", "to": "2027-02-01"}, "/from", "wrong_order"),
        ({"from": "2027-01-01", "to": "2028-02-01"}, "/to", "too_many"),
        ({**FEBRUARY, "kinds": ["divorce"]}, "/kinds/0", "unknown_kind"),
        ({**FEBRUARY, "mails_per_s": 1e-300}, "/mails_per_s", "out_of_range"),
        (
            {
                **FEBRUARY,
                "what_if": {
                    "outage": {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}
                },
            },
            "/what_if/outage",
            "out_of_range",
        ),
        ({**FEBRUARY, "what_if": {"tzdata": "2020a"}}, "/what_if/tzdata", "unknown_release"),
        (
            {**FEBRUARY, "what_if": {"kinds": {"divorce": None}}},
            "/what_if/kinds/divorce",
            "unknown_kind",
        ),
        (
            {**FEBRUARY, "what_if": {"kinds": {"name_day": {}}}},
            "/what_if/kinds/name_day",
            "missing",
        ),
        (
            {**FEBRUARY, "what_if": {"kinds": {"birthday": {"date_field": "anniversary"}}}},
            "/what_if/kinds/birthday/date_field",
            "not_allowed",
        ),
        ({**FEBRUARY, "what_if": {"tides": 1}}, "/what_if/tides", "unknown_field"),
        ({**FEBRUARY, "per": "second"}, "/per", "not_allowed"),
    ],
)
async def test_what_cannot_be_simulated_is_refused_by_field(
    call: Simulate, asked: Any, pointer: str, code: str
) -> None:
    status, problem = await call(asked)
    assert status == 422
    assert [(one["pointer"], one["code"]) for one in problem["errors"]] == [(pointer, code)]


async def test_an_unknown_kind_is_refused_with_the_known_ones(call: Simulate) -> None:
    _, problem = await call({**FEBRUARY, "kinds": ["divorce"]})
    assert "anniversary, birthday" in problem["errors"][0]["detail"]


async def test_only_who_may_read_plans_may_simulate(call: Simulate) -> None:
    assert (await call(FEBRUARY, token=OTHER_TOKEN))[0] == 403


async def test_one_simulation_of_a_process_runs_at_a_time(world: World, call: Simulate) -> None:
    await world.project(*(a_recipient(birthday="1990-02-10") for _ in range(50)))
    answers = await asyncio.gather(*(call(FEBRUARY) for _ in range(6)))
    statuses = {status for status, _ in answers}
    assert 200 in statuses
    assert statuses <= {200, 503}


async def test_what_is_greeted_already_is_known(world: World, call: Simulate) -> None:
    greeted, corrected = (a_recipient(birthday="1990-06-14") for _ in range(2))
    await world.project(greeted, corrected)
    await world.plan()
    requests = await world.release_at("2026-06-14 07:00")
    for request in requests:
        await world.accept(request)
    await world.project(changed(corrected, birthday="1990-06-20"))
    _, found = await call({"from": "2026-06-01", "to": "2026-06-30"})
    (birthday,) = (one for one in found["as_is"]["kinds"] if one["kind"] == "birthday")
    assert (birthday["greetings"], birthday["people"]) == (1, 1)
    (silent,) = (one for one in found["as_is"]["nothing"] if one["reason"] == "already_greeted")
    assert silent["examples"] == [str(corrected.person_id)]


QUESTION = Question(
    first=day("2027-01-01"),
    last=day("2027-12-31"),
    per="day",
    examples=3,
    as_is=Setting(kinds=KINDS),
    what_if=Setting(kinds=KINDS, leap_day="mar1"),
)


@contextlib.asynccontextmanager
async def a_trap(pool: Pool) -> AsyncIterator[None]:
    """Have whoever reads ``blocks`` write to ``kinds`` by that."""
    await pool.execute(
        "ALTER TABLE blocks RENAME TO kept_blocks;"
        "CREATE FUNCTION trapped() RETURNS SETOF kept_blocks LANGUAGE sql AS"
        " 'INSERT INTO kinds (kind) VALUES (''trapped'') ON CONFLICT DO NOTHING;"
        " SELECT person_id, revision, blocks FROM kept_blocks';"
        "CREATE VIEW blocks AS SELECT person_id, revision, blocks FROM trapped()"
    )
    try:
        yield
    finally:
        await pool.execute(
            "DROP VIEW blocks; DROP FUNCTION trapped; ALTER TABLE kept_blocks RENAME TO blocks"
        )


async def test_the_server_refuses_whatever_a_simulation_would_write(world: World) -> None:
    await world.project(a_recipient(birthday="1990-02-10"))
    async with a_trap(world.pool):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await simulate(world.pool, QUESTION, now=world.clock.now())
        assert await world.pool.fetchval("SELECT count(*) FROM kinds") == 0
        await world.pool.fetch("SELECT revision FROM blocks")
        assert await world.pool.fetchval("SELECT count(*) FROM kinds") == 1


async def test_every_group_is_decided_as_each_of_its_people(world: World) -> None:
    """The counts equal those of asking about everyone, whatever is left out in grouping."""
    now, pool = world.clock.now(), world.pool
    people = [a_varied_recipient(number, now) for number in range(400)]
    await world.project(*people)
    await world.plan()
    for request in await world.release_at("2026-06-14 12:00"):
        await world.accept(request)
    people[::13] = [changed(one, birthday="1990-07-01") for one in people[::13]]
    await world.project(*people[::13])
    told = [
        RecipientBlocksChanged(person_id=one.person_id, revision=1, blocks={"birthday": "spam"})
        for one in people[::17]
    ]
    await project_blocks(pool, told)
    await hold_some(world, people)
    question = msgspec.structs.replace(QUESTION, first=day("2026-06-01"), last=day("2027-03-31"))
    found = await simulate(pool, question, now=world.clock.now())
    for setting, outlook in zip(question.settings(), (found.as_is, found.what_if), strict=True):
        assert outlook is not None
        told_of = await _one_by_one(world, people, setting, question)
        assert {(slot.at, slot.kind): slot.greetings for slot in outlook.timeline} == told_of[0]
        silent = {(one.kind, one.reason): one.people for one in outlook.nothing}
        assert silent == told_of[1]
        assert {"already_greeted", "known_too_late", "spam", "paused"} <= {
            reason for _, reason in silent
        }


async def hold_some(world: World, people: Sequence[Recipient]) -> None:
    """Pause some people, one of them for a kind, and call off days, of some and of everyone."""
    said: dict[str, Any] = {"reason": None, "now": world.clock.now(), "by": "tests"}
    await pause(world.pool, person_id=people[1].person_id, kind=None, **said)
    for one in people[2::40]:
        await pause(world.pool, person_id=one.person_id, kind="birthday", **said)
    for whom, text in ((people[3].person_id, "2026-06-14"), (None, "2026-12-24")):
        first, last = day(text), day(text) + timedelta(days=3)
        await cancel(world.pool, person_id=whom, kind=None, first_day=first, last_day=last, **said)


def a_varied_recipient(number: int, now: datetime) -> Recipient:
    """Return one of many who differ in everything that decides."""
    chance = random.Random(number)
    around = now + timedelta(hours=chance.randint(-72, 24))
    birthday = chance.choice(
        [None, "1992-02-29", "--02-29", f"19{number % 90 + 10}-06-{13 + number % 4}", "2026-12-24"]
    )
    return a_recipient(
        birthday=birthday,
        anniversary=chance.choice([None, "2019-06-14", "--12-31", "2026-06-15"]),
        zone=chance.choice(["Pacific/Kiritimati", "Pacific/Niue", "Asia/Kathmandu", "UTC"]),
        leap_day=chance.choice(["feb28", "mar1"]),
        is_active=chance.random() > 0.05,
        opt_outs=chance.choice([(), (), (), ("birthday",), ("anniversary",)]),
        active_since=chance.choice([LONG_AGO, LONG_AGO, around]),
        dates_since=chance.choice([{}, {}, {"birthday": around}]),
        zones_left=chance.choice([{}, {}, {"America/New_York": around}]),
    )


async def _one_by_one(
    world: World, people: Sequence[Recipient], setting: Setting, question: Question
) -> tuple[dict[tuple[datetime, str], int], dict[tuple[str, str], int]]:
    """Return greetings by day and kind and silent people by kind and reason, asked one by one."""
    greetings: Counter[tuple[datetime, str]] = Counter()
    silent: Counter[tuple[str, str]] = Counter()
    async with world.pool.acquire() as connection:
        for person, kind in itertools.product(people, KINDS.values()):
            facts = Facts(
                now=world.clock.now(),
                rows=await _rows_of(connection, person, kind),
                blocks=await find_blocks(connection, person.person_id),
                pauses=tuple(await list_person_pauses(connection, person.person_id)),
                cancellations=tuple(
                    await list_person_cancellations(
                        connection, person.person_id, since=question.first
                    )
                ),
            )
            group = Group(1, (), person, facts)
            decisions = decisions_on(group, kind, setting, first=question.first, last=question.last)
            owed = [one.due_at for one in decisions if one.is_owed and one.due_at]
            greetings.update((at.replace(hour=0, minute=0), kind.name) for at in owed)
            if not owed:
                reason = decisions[0].reason
                silent[kind.name, "no_day_in_range" if reason == "other_day" else str(reason)] += 1
    return dict(greetings), dict(silent)


async def _rows_of(connection: Connection, person: Recipient, kind: Kind) -> tuple[PlannedDay, ...]:
    rows = await list_occurrences(
        connection, person.person_id, first=date.min, last=date.max, limit=500
    )
    return tuple(row.day() for row in rows if row.kind == kind.name)
