"""What messages set aside tell of a person goes with them."""

import pytest

from contracts import user_events
from contracts.user_events import UserErased, UserRegistered
from libs.postgres.types import Pool
from services.dispatcher.adapters.set_aside import put_set_aside
from services.dispatcher.app.project_contacts import project_contacts
from tests.support.deliveries import NINE, told


@pytest.mark.edge_case("EC-UD-020")
async def test_messages_set_aside_forget_who_was_erased(pool: Pool, ada: UserRegistered) -> None:
    for body in (f'[{{"subject":"{ada.id}"}}]', '[{"subject":"x"}]'):
        async with pool.acquire() as connection:
            await put_set_aside(
                connection,
                queue="q",
                type_name=user_events.USER_CHANGED,
                reason="r",
                body=body.encode(),
                items=1,
                now=NINE,
            )
    erased = UserErased(id=ada.id, version=3, schedule_version=3)
    await project_contacts(pool, [told(erased, user_events.USER_ERASED)])
    rows = await pool.fetch("SELECT body FROM set_aside")
    assert [bytes(row["body"]) for row in rows] == [b'[{"subject":"x"}]']
