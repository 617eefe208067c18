"""What messages set aside tell of a person goes with them."""

from uuid import uuid4

import pytest

from libs.ids import new_id
from services.planner.adapters.set_aside import SetAside, put_set_aside
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient

ADA, BOB = uuid4(), uuid4()


def about(*people: object) -> bytes:
    """Return a batch with an item about each of ``people``."""
    items = ",".join(f'{{"subject":"{person}","data":{{"first_name":"x"}}}}' for person in people)
    return f"[{items}]".encode()


@pytest.mark.edge_case("EC-UD-020")
async def test_messages_set_aside_forget_who_was_erased(world: World) -> None:
    bodies = [about(ADA), about(BOB), about(BOB, ADA, BOB), str(ADA).encode() + b"{", b"{"]
    messages = [
        SetAside(id=new_id(), queue="q", type="user.changed.v1", reason="r", body=body, items=1)
        for body in bodies
    ]
    async with world.pool.acquire() as connection:
        await put_set_aside(connection, messages)
    await world.project(a_recipient(person_id=ADA, version=9, is_active=False, is_erased=True))
    rows = await world.pool.fetch("SELECT body, items FROM set_aside ORDER BY id")
    left = {(bytes(row["body"]), row["items"]) for row in rows}
    assert left == {(about(BOB), 1), (about(BOB, BOB), 2), (b"{", 1)}
