"""Published texts, and what keeps mail from people: killed between any two of their steps.

A text and the choice of it are one commit, so are a block and its news, which may be told twice
and is taken in once. Whoever asks again after a crash changes nothing.
"""

import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from services.dispatcher.domain.unsubscribing import UnsubscribeLinks
from tests.faults.proxy import Point
from tests.faults.victims import a_victim, count
from tests.support.reports import a_webhook, signed
from tests.support.town import BEFORE_NINE, Town, a_town, until

LINKS = UnsubscribeLinks("https://mail.example.org/unsubscribe", [b"k" * 32])
SECRET = "s" * 32
SETTINGS = {
    "DISPATCHER_UNSUBSCRIBE_URL": "https://mail.example.org/unsubscribe",
    "DISPATCHER_UNSUBSCRIBE_KEYS": "k" * 32,
    "DISPATCHER_REPORTS_SECRET": SECRET,
}
TEXT = {
    "kind": "birthday",
    "locale": "en",
    "subject": "Today!",
    "text": "Many happy returns, {{ first_name }}",
    "html": "<p>Many happy returns, {{ first_name }}</p>",
}


async def counts(town: Town, *tables: str) -> list[int]:
    return [await count(town, "dispatcher", table) for table in tables]


async def report(town: Town, body: bytes, *, at_s: float) -> tuple[int, str]:
    headers = {**signed(body, SECRET, at_s), "Content-Type": "application/json"}
    url = town.system.url("dispatcher") + "/v1/provider-reports"
    async with town.session.post(url, data=body, headers=headers) as response:
        return response.status, await response.text()


async def blocks(town: Town, service: str) -> dict[str, object]:
    """Return what a service knows to keep mail from whom, and by which revision."""
    [known] = await town.ask(
        service,
        "SELECT coalesce(jsonb_object_agg(person_id, jsonb_build_array(revision, blocks)), '{}')"
        " FROM blocks",
    )
    found: dict[str, object] = json.loads(known)
    return found


async def test_texts_and_blocks_are_kept_whole_and_told_whatever_dies(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town, AsyncExitStack() as stack:
        await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
        ada, ben, cleo, _ = [await town.register(number) for number in range(4)]
        planner = await stack.enter_async_context(
            a_victim(town, "planner", "api", "project", "plan", "outcomes", "upkeep")
        )
        dispatcher = await stack.enter_async_context(
            a_victim(town, "dispatcher", "api", "contacts", "relay", "upkeep", env=SETTINGS)
        )
        await planner.start("INSERT INTO blocks", Point.AFTER_COMMIT)
        await dispatcher.start()
        await town.projected(4, 4)

        # A text: it and the choice of it, or neither; asked for again it is the same one.
        async with dispatcher.dying("INSERT INTO template_choices", Point.BEFORE_COMMIT):
            await dispatcher.hangs_up("POST", "/v1/templates", TEXT)
        assert await counts(town, "templates", "template_choices") == [0, 0]
        async with dispatcher.dying("INSERT INTO template_choices", Point.AFTER_COMMIT):
            await dispatcher.hangs_up("POST", "/v1/templates", TEXT)
        status, chosen = await town.call("POST", "dispatcher", "/v1/templates", body=TEXT)
        assert (status, chosen["version"]) == (201, 1)
        assert await counts(town, "templates", "template_choices") == [1, 1]

        # An address, by hand.
        word = {"email": "ada0@example.com", "reason": "by_hand"}
        async with dispatcher.dying("INSERT INTO suppressions", Point.BEFORE_COMMIT):
            await dispatcher.hangs_up("PUT", "/v1/suppressions", word)
        assert await counts(town, "suppressions", "blocks") == [0, 0]
        async with dispatcher.dying("INSERT INTO suppressions", Point.AFTER_COMMIT):
            await dispatcher.hangs_up("PUT", "/v1/suppressions", word)
        status, _ = await town.call("PUT", "dispatcher", "/v1/suppressions", body=word)
        assert status == 200

        # A kind, by the link in a mail.
        link = f"/unsubscribe/{LINKS.token(UUID(ben), 'birthday')}"
        click = {"List-Unsubscribe": "=One-Click"}
        async with dispatcher.dying("INSERT INTO unsubscribes", Point.AFTER_COMMIT):
            with pytest.raises(aiohttp.ClientError):
                await town.session.post(town.system.url("dispatcher") + link, data=click)
        async with town.session.post(town.system.url("dispatcher") + link, data=click) as again:
            assert again.status == 200

        # An address, by a provider's report.
        bounce, at_s = a_webhook("ada2@example.com"), time.time()
        async with dispatcher.dying("INSERT INTO provider_reports", Point.AFTER_COMMIT):
            with pytest.raises(aiohttp.ClientError):
                await report(town, bounce, at_s=at_s)
        assert (await report(town, bounce, at_s=at_s))[0] == 401
        assert json.loads((await report(town, bounce, at_s=at_s + 1))[1]) == {
            "reports": 1,
            "new": 0,
        }

        # Told, taken in once, and minded.
        await planner.died()
        await planner.start()
        expected = {
            ada: [1, {"*": "by_hand"}],
            ben: [1, {"birthday": "unsubscribed"}],
            cleo: [1, {"*": "bounced"}],
        }
        assert await blocks(town, "dispatcher") == expected

        async def taken_in() -> bool | None:
            return await blocks(town, "planner") == expected or None

        await until(taken_in)
        await town.start("dispatcher-door", roles=("deliver", "settle", "relay"), env=SETTINGS)
        await town.start("planner-release", roles=("release", "reconcile"))
        totals = await town.settled(4)
        assert (totals["accepted"], totals["suppressed"]) == (1, 3)
        [mail] = await town.mails()
        assert (mail["to"], mail["subject"]) == ("ada3@example.com", "Today!")
