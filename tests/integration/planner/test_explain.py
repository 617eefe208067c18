"""Why a person is greeted, or is not, over HTTP."""

from typing import Any

import pytest

from tests.integration.planner.test_api import Ask, ask
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient, utc

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


@pytest.mark.parametrize(
    ("fields", "reason", "change"),
    [
        pytest.param({"birthday": None}, "no_date", "set birthday", id="EC-BD-009"),
        pytest.param(
            {"opt_outs": ("birthday",)}, "opted_out", "remove birthday from opt_outs", id="opt-out"
        ),
        pytest.param({"is_active": False}, "user_removed", "restore the person", id="removed"),
        pytest.param(
            {"active_since": utc("2027-06-14T10:00")}, "known_too_late", "nothing can", id="late"
        ),
        pytest.param(
            {"birthday": "2028-06-14"}, "before_date", "set birthday to an earlier", id="unborn"
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
    assert told["change"].startswith(change)
    assert [rule["holds"] for rule in told["rules"]][-1] is False


async def test_an_unknown_kind_is_refused_with_those_there_are(world: World, ask: Ask) -> None:
    ada = a_recipient()
    await world.project(ada)
    status, told = await explain(ask, ada.person_id, kind="divorce")
    assert status == 422
    assert "anniversary, birthday" in told["errors"][0]["detail"]


async def test_nobody_is_explained_as_not_found(ask: Ask) -> None:
    status, _ = await explain(ask, "00000000-0000-7000-8000-000000000000")
    assert status == 404
