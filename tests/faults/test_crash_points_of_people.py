"""An import that is cut off, and erasure by retention: killed between any two of their steps.

A batch of lines is registered whole or not at all, and lines sent again register nobody twice. An
erasure destroys the key with the event that tells it, and everyone who is told forgets.
"""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.faults.proxy import Point
from tests.faults.victims import a_victim, count
from tests.support.town import AUTHORIZATION, BEFORE_NINE, Town, a_town, until

LINES = 12
BATCH = 4
LONG_AGO = {"JUBILEE_CLOCK": "2027-01-05T08:00:00Z;rate=0", "USER_IMPORT_BATCH_LINES": str(BATCH)}


async def send_lines(town: Town) -> list[dict[str, Any]]:
    """Import the same people, and return what became of each line."""
    people = [
        {
            "first_name": "Ada",
            "last_name": f"Number {number}",
            "email": f"ada{number}@example.com",
            "timezone": "UTC",
            "birthday": "1990-11-02",
        }
        for number in range(LINES)
    ]
    async with town.session.post(
        town.system.url("user") + "/v1/users/import",
        data="".join(json.dumps(one) + "\n" for one in people),
        headers=AUTHORIZATION | {"Content-Type": "application/x-ndjson"},
    ) as response:
        assert response.status == 200, await response.text()
        return [json.loads(line) for line in (await response.text()).splitlines()]


async def test_an_import_cut_off_and_an_erasure_are_finished_once_whatever_dies(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town, AsyncExitStack() as stack:
        user = await stack.enter_async_context(a_victim(town, "user", env=LONG_AGO))
        planner = await stack.enter_async_context(a_victim(town, "planner"))
        dispatcher = await stack.enter_async_context(a_victim(town, "dispatcher"))
        await user.start()
        gone = await town.register(99)
        await town.delete(gone)

        # Cut off in the middle: whole batches, and the rest when it is sent again.
        async with user.dying("INSERT INTO people", Point.AFTER_COMMIT):
            with pytest.raises(aiohttp.ClientError):
                await send_lines(town)
        assert await count(town, "user", "people") == 1 + BATCH
        outcomes = [one["status"] for one in await send_lines(town)]
        assert outcomes == ["unchanged"] * BATCH + ["created"] * (LINES - BATCH)
        assert await count(town, "user", "events", "type = 'user.registered.v1'") == 1 + LINES
        await planner.start()
        await dispatcher.start()
        await town.projected(1 + LINES, 2 + LINES)

        # Deleted too long ago: the key goes with the event that tells it, and everyone forgets.
        planner.switch.set("UPDATE recipients", Point.AFTER_COMMIT)
        dispatcher.switch.set("DELETE FROM former_contacts", Point.BEFORE_COMMIT)
        await user.stop(JUBILEE_CLOCK=BEFORE_NINE)
        await user.start("DELETE FROM person_keys", Point.BEFORE_STATEMENT)
        await user.died()
        assert await erased(town, gone) == [0, 1, 0]
        await user.start("DELETE FROM person_keys", Point.AFTER_COMMIT)
        await user.died()
        assert await erased(town, gone) == [1, 0, 1]
        await user.start()
        await planner.died()
        await dispatcher.died()
        await planner.start()
        await dispatcher.start()

        async def forgotten() -> bool | None:
            held = [
                await count(town, "dispatcher", "contacts", f"person_id = '{gone}' AND {what}")
                for what in ("state = 'erased'", "num_nonnulls(email, address, first_name) > 0")
            ]
            held.append(
                await count(town, "planner", "recipients", f"person_id = '{gone}' AND is_erased")
            )
            return held == [1, 0, 1] or None

        await until(forgotten)
        assert await erased(town, gone) == [1, 0, 1]
        assert await count(town, "dispatcher", "former_contacts", f"person_id = '{gone}'") == 0


async def erased(town: Town, person_id: str) -> list[int]:
    """Return how many erasures there are of a person, keys, and tombstones."""
    return [
        await count(
            town, "user", "events", f"stream_id = '{person_id}' AND type = 'user.erased.v1'"
        ),
        await count(town, "user", "person_keys", f"person_id = '{person_id}'"),
        await count(town, "user", "people", f"person_id = '{person_id}' AND status = 'erased'"),
    ]
