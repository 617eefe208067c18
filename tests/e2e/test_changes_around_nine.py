"""What becomes of people who are created, moved, renamed or deleted shortly before 09:00."""

import time
from pathlib import Path
from typing import Any

from tests.support.town import BIRTHDAY, Town, a_town, until

JUST_BEFORE = "2027-03-10T08:59:00Z;rate=0"
LATER = "2027-03-10T09:30:00Z;rate=0"


def running_from(wall_time: str) -> str:
    """Return a clock that shows ``wall_time`` UTC of the birthday now and runs on."""
    return f"{BIRTHDAY}T{wall_time}Z;rate=1;since={time.time():.3f}"


async def everyone_registers(town: Town) -> dict[str, str]:
    roles = (
        "plain", "renamed", "moved_west", "moved_east", "deleted", "date_moved", "date_put_back",
        "new_address", "deleted_in_queue", "opted_out_in_queue", "date_moved_in_queue",
    )  # fmt: skip
    return {role: await town.register(number, first_name=role) for number, role in enumerate(roles)}


async def changes_before_nine(town: Town, people: dict[str, str]) -> None:
    await town.change(people["renamed"], first_name="Grace")
    await town.change(people["moved_west"], timezone="America/New_York")
    await town.change(people["moved_east"], timezone="Asia/Tokyo")
    await town.delete(people["deleted"])
    await town.change(people["date_moved"], birthday="1990-07-01")
    await town.change(people["date_put_back"], birthday=None)
    await town.change(people["date_put_back"], birthday=f"1990-{BIRTHDAY[5:]}")
    await town.change(people["new_address"], email="new@example.com")


async def changes_in_the_queue(town: Town, people: dict[str, str]) -> None:
    await town.delete(people["deleted_in_queue"])
    await town.change(people["opted_out_in_queue"], opt_outs=["birthday"])
    await town.change(people["date_moved_in_queue"], birthday="1990-07-01")


async def restart(town: Town, name: str, clock: str, *, roles: tuple[str, ...] = ()) -> None:
    await town.system.stop(name)
    await town.start(name, roles=roles, env={"JUBILEE_CLOCK": clock})


async def released(town: Town, rows: int) -> None:
    async def look() -> bool | None:
        row = await town.ask("planner", "SELECT count(*) FROM plan WHERE state = 'released'")
        return row[0] == rows or None

    await until(look)


def texts_by_address(mails: list[dict[str, Any]]) -> dict[str, str]:
    assert len({mail["to"] for mail in mails}) == len(mails)
    return {mail["to"]: mail["subject"] for mail in mails}


async def test_each_gets_what_was_decided(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    before = {"JUBILEE_CLOCK": JUST_BEFORE}
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await town.start("user", env=before)
        await town.start("planner", env=before)
        await town.start("dispatcher-contacts", roles=("contacts", "relay"), env=before)

        people = await everyone_registers(town)
        await town.projected(len(people), len(people))
        assert await town.state(people["plain"]) == ("waiting", None)
        await changes_before_nine(town, people)
        await town.projected(len(people), len(people) + 8)
        assert await town.state(people["date_moved"]) == ("cancelled", "date_changed")
        assert await town.state(people["date_put_back"]) == ("waiting", None)

        # At nine everything due is released, while no dispatcher takes requests.
        await restart(town, "planner", running_from("09:00:05"))
        await released(town, 8)
        await changes_in_the_queue(town, people)
        await town.start("user-late", roles=("api",), env={"JUBILEE_CLOCK": LATER})
        late = await town.register(100, "user-late", first_name="late")
        again = await town.register(101, "user-late", email="ada4@example.com")
        people |= {"late": late, "same_address": again}
        await town.projected(len(people), len(people) + 8 + 3)
        await town.start(
            "dispatcher",
            roles=("deliver", "settle", "relay"),
            env={"JUBILEE_CLOCK": running_from("09:00:10")},
        )

        async def look() -> bool | None:
            pending = (await town.ledger())["pending"]
            return pending == 1 or None

        await until(look)
        states = {role: await town.state(person_id) for role, person_id in people.items()}
        assert states == {
            "plain": ("accepted", None),
            "renamed": ("accepted", None),
            "moved_west": ("waiting", None),
            "moved_east": ("accepted", None),
            "deleted": ("suppressed", "user_removed"),
            "date_moved": ("cancelled", "date_changed"),
            "date_put_back": ("accepted", None),
            "new_address": ("accepted", None),
            "deleted_in_queue": ("suppressed", "user_removed"),
            "opted_out_in_queue": ("suppressed", "opted_out"),
            "date_moved_in_queue": ("cancelled", "date_changed"),
            "late": ("none", None),
            "same_address": ("none", None),
        }
        subjects = texts_by_address(await town.mails())
        assert subjects == {
            "ada0@example.com": "Happy birthday, plain!",
            "ada1@example.com": "Happy birthday, Grace!",
            "ada3@example.com": "Happy birthday, moved_east!",
            "ada6@example.com": "Happy birthday, date_put_back!",
            "new@example.com": "Happy birthday, new_address!",
        }

        # Nine o'clock in New York.
        await restart(town, "planner", running_from("14:00:05"))
        await restart(
            town,
            "dispatcher",
            running_from("14:00:05"),
            roles=("deliver", "settle", "relay"),
        )
        totals = await town.settled(11)
        assert (totals["accepted"], totals["suppressed"], totals["cancelled"]) == (6, 3, 2)
        assert len(await town.mails()) == 6
