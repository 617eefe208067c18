"""What the world is told of outcomes is the same, whichever way they were recorded."""

from datetime import timedelta

from libs.ids import new_id
from services.dispatcher.adapters.delivery_cases import cases
from services.dispatcher.adapters.messages import accepted_messages, messages
from services.dispatcher.domain.delivery import OUTCOME, AcceptedMail, DeliveryEvent
from tests.support.deliveries import NINE, a_request


def test_mail_accepted_as_a_whole_is_told_as_if_it_had_been_alone() -> None:
    now = NINE + timedelta(seconds=3)
    accepted = [AcceptedMail(a_request(new_id()), f"id-{number}", 7) for number in range(3)]
    events = [
        DeliveryEvent(
            local_day=one.request.local_day,
            person_id=one.request.person_id,
            kind=one.request.kind,
            release=one.request.release,
            step=OUTCOME,
            type="accepted",
            recorded_at=now,
            due_at=one.request.due_at,
            provider="postmark",
            message_id=one.message_id,
        )
        for one in accepted
    ]
    assert accepted_messages(accepted, provider="postmark", now=now) == messages(events, now=now)


def test_what_items_share_is_told_once_and_each_knows_its_case() -> None:
    places, columns = cases([("a", 1), ("b", 1), ("a", 1), ("a", 2)])
    assert places == [1, 2, 1, 3]
    assert columns == [["a", "b", "a"], [1, 1, 2]]
