"""Why a person is greeted, or is not, over HTTP."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts import topology
from contracts.recipient_events import RECIPIENT_BLOCKS_CHANGED, RecipientBlocksChanged
from libs.broker import Delivery
from services.planner.entrypoints.consumers import blocks_handler
from tests.integration.planner.test_api import Ask, ask
from tests.integration.planner.test_messages import a_message
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient, changed, day, utc

__all__ = ["ask"]


async def explain(ask: Ask, person_id: object, **params: str) -> tuple[int, Any]:
    return await ask(f"/v1/users/{person_id}/explain", **({"kind": "birthday"} | params))


async def test_a_yes_names_the_instant_and_every_rule(world: World, ask: Ask) -> None:
    ada = a_recipient(birthday="1990-06-14", zone="Asia/Kathmandu")
    await world.project(ada)
    status, told = await explain(ask, ada.person_id, year="2027")
    assert status == 200
    assert (told["is_owed"], told["reason"], told["change"]) == (True, None, None)
    assert told["due_at"] == "2027-06-14T03:15:00Z"
    assert told["due_at_local"] == "2027-06-14T09:00:00+05:45"
    assert all(rule["holds"] for rule in told["rules"])
    assert told["next"]["due_at_local"] == "2026-06-14T09:00:00+05:45"


@pytest.mark.parametrize(
    ("fields", "reason", "change"),
    [
        pytest.param({"birthday": None}, "no_date", "set birthday", id="EC-BD-009 EC-ST-007"),
        pytest.param(
            {"opt_outs": ("birthday",)}, "opted_out", "remove birthday from opt_outs", id="opt-out"
        ),
        pytest.param({"is_active": False}, "user_removed", "restore the person", id="removed"),
        pytest.param(
            {"active_since": utc("2027-06-14T10:00")}, "known_too_late", "nothing can", id="late"
        ),
        pytest.param(
            {"birthday": "2028-06-14"},
            "before_date",
            "set birthday to a date such as --06-14",
            id="unborn",
        ),
    ],
)
async def test_a_no_names_the_rule_that_refused_and_the_smallest_change(
    world: World, ask: Ask, fields: dict[str, Any], reason: str, change: str
) -> None:
    person = a_recipient(**({"birthday": "1990-06-14"} | fields))
    await world.project(person)
    _, told = await explain(ask, person.person_id, year="2027")
    assert (told["is_owed"], told["reason"]) == (False, reason)
    assert told["change"]["text"].startswith(change)
    assert told["change"]["is_possible"] is (reason != "known_too_late")
    refused = told["rules"][-1]
    assert (refused["rule"], refused["holds"]) == (told["rule"], False)


@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "3000-01-01", "9999-12-31"])
async def test_a_day_that_nobody_lives_to_see_is_refused(world: World, ask: Ask, day: str) -> None:
    ada = a_recipient(birthday="1990-06-14")
    await world.project(ada)
    status, told = await explain(ask, ada.person_id, day=day)
    assert (status, told["errors"][0]["code"]) == (422, "out_of_range")


async def test_an_unknown_kind_is_refused_with_those_there_are(world: World, ask: Ask) -> None:
    ada = a_recipient()
    await world.project(ada)
    status, told = await explain(ask, ada.person_id, kind="divorce")
    assert status == 422
    assert "anniversary, birthday" in told["errors"][0]["detail"]


async def test_nobody_is_explained_as_not_found(ask: Ask) -> None:
    status, _ = await explain(ask, "00000000-0000-7000-8000-000000000000")
    assert status == 404


async def test_a_day_can_be_asked_for_but_not_beside_a_year(world: World, ask: Ask) -> None:
    ada = a_recipient(birthday="1992-02-29")
    await world.project(ada)
    _, told = await explain(ask, ada.person_id, day="2027-03-01")
    assert (told["local_day"], told["chosen"], told["rule"]) == (
        "2027-03-01",
        "day",
        "date_falls_on_day",
    )
    assert [step["fields"] for step in told["change"]["steps"]] == [{"leap_day": "mar1"}]
    status, told = await explain(ask, ada.person_id, day="2027-03-01", year="2027")
    assert (status, told["errors"][0]["code"]) == (422, "not_together")


async def test_of_who_was_erased_nothing_is_made_up(world: World, ask: Ask) -> None:
    ada = a_recipient(birthday="1990-06-14")
    gone = changed(ada, is_active=False, is_erased=True, zone="UTC", dates={})
    await world.project(ada, gone)
    status, told = await explain(ask, ada.person_id)
    assert status == 200
    assert [told[name] for name in ("local_day", "zone", "due_at", "next")] == [None] * 4
    assert (told["reason"], told["change"]["is_possible"]) == ("user_removed", False)


async def tell_blocks(world: World, person_id: UUID, *told: tuple[int, dict[str, str]]) -> None:
    """Have the dispatcher tell what blocks a person's mail, revision by revision."""
    body = a_message(
        RECIPIENT_BLOCKS_CHANGED,
        *(
            RecipientBlocksChanged(person_id=person_id, revision=revision, blocks=blocks)
            for revision, blocks in told
        ),
    )
    message = Delivery(
        queue=topology.PLANNER_BLOCKS.name,
        type_name=RECIPIENT_BLOCKS_CHANGED,
        body=body,
        message_id=str(person_id),
        is_redelivered=False,
    )
    await blocks_handler(world.pool)(message)


async def test_who_may_not_be_mailed_is_explained_by_the_newest_word(
    world: World, ask: Ask
) -> None:
    ada = a_recipient(birthday="1990-06-14")
    await world.project(ada)
    await tell_blocks(world, ada.person_id, (3, {"*": "hard_bounce"}), (2, {}))
    await tell_blocks(world, ada.person_id, (1, {"birthday": "unsubscribed"}))
    _, told = await explain(ask, ada.person_id)
    assert (told["rule"], told["reason"]) == ("mail_is_not_blocked", "hard_bounce")
    assert [step["action"] for step in told["change"]["steps"]] == ["lift_block"]
    await tell_blocks(world, ada.person_id, (4, {}))
    _, told = await explain(ask, ada.person_id)
    assert told["is_owed"] is True


async def test_a_second_day_of_a_greeted_period_is_refused_with_the_first(
    world: World, ask: Ask
) -> None:
    ada = a_recipient(birthday="1990-06-14")
    await world.project(ada)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    corrected = changed(ada, birthday="1990-09-01")
    await world.project(corrected)
    _, told = await explain(ask, ada.person_id, year="2026")
    assert (told["local_day"], told["reason"]) == ("2026-09-01", "in_flight")
    await world.accept(request)
    _, told = await explain(ask, ada.person_id, year="2026")
    assert told["reason"] == "already_greeted"
    assert told["rules"][-1]["inputs"]["greeted_day"] == "2026-06-14"
    assert told["next"]["local_day"] == "2027-09-01"


async def test_occurrences_say_what_their_explanations_say(world: World, ask: Ask) -> None:
    people = [
        a_recipient(birthday="1990-06-14", anniversary="2019-08-01"),
        a_recipient(birthday="1990-06-15", opt_outs=("anniversary",), anniversary="2019-06-14"),
        a_recipient(birthday="1992-02-29", zone="Pacific/Kiritimati"),
    ]
    await world.project(*people)
    await world.plan()
    await world.project(msgspec.structs.replace(people[0], version=2, opt_outs=("birthday",)))
    await tell_blocks(world, people[1].person_id, (1, {"birthday": "unsubscribed"}))
    for person in people:
        _, listed = await ask(f"/v1/users/{person.person_id}/occurrences")
        assert listed["items"]
        for item in listed["items"]:
            asked = {"kind": item["kind"], "day": item["local_day"]}
            _, told = await ask(f"/v1/users/{person.person_id}/explain", **asked)
            assert [item[name] for name in ("is_owed", "due_at", "reason")] == [
                told[name] for name in ("is_owed", "due_at", "reason")
            ]
    assert (await world.row(people[0], day("2026-06-14")))["state"] == "waiting"
