"""Batches <-> bytes."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts import codec, dispatch
from contracts.envelope import Event, event

PERSON = UUID("0198f0aa-0000-7000-8000-000000000001")
AT = datetime(2026, 6, 14, 9, tzinfo=UTC)


def a_refusal(release: int = 1) -> Event[dispatch.DeliveryRefused]:
    data = dispatch.DeliveryRefused(
        local_day=date(2026, 6, 14),
        person_id=PERSON,
        kind="birthday",
        release=release,
        reason="no_such_mailbox",
    )
    return event(
        data,
        event_id=f"e{release}",
        type_name=dispatch.DELIVERY_REFUSED,
        source="dispatcher",
        subject="x",
        time=AT,
    )


def test_a_batch_reads_back() -> None:
    batch = [a_refusal(1), a_refusal(2)]
    assert codec.decode(dispatch.DELIVERY_REFUSED, codec.encode(batch)) == batch


def test_items_of_two_rows_join_into_one_batch() -> None:
    rows = [codec.encode_items([a_refusal(1)]), codec.encode_items([a_refusal(2), a_refusal(3)])]
    joined = codec.decode(dispatch.DELIVERY_REFUSED, b"[" + b",".join(rows) + b"]")
    assert [item.id for item in joined] == ["e1", "e2", "e3"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param(
            {"type": "user.sneezed.v1"}, codec.UnknownTypeError, id="EC-Q-013 no contract"
        ),
        pytest.param({"type": dispatch.DELIVERY_DEFERRED}, codec.MisfitError, id="EC-Q-013 other"),
        pytest.param({"data": {"release": 1}}, codec.MisfitError, id="EC-Q-013 no struct"),
    ],
)
@pytest.mark.parametrize("encode", [codec.encode, codec.encode_items])
def test_what_nobody_could_read_is_refused_before_it_is_published(
    changes: dict[str, Any], error: type[Exception], encode: Callable[..., bytes]
) -> None:
    with pytest.raises(error):
        encode([msgspec.structs.replace(a_refusal(1), **changes)])


@pytest.mark.edge_case("EC-Q-013")
def test_two_types_in_one_batch_are_refused_before_it_is_published() -> None:
    request = msgspec.structs.replace(a_refusal(2), type=dispatch.DELIVERY_SUPPRESSED)
    with pytest.raises(codec.MisfitError, match="in one batch"):
        codec.encode([a_refusal(1), request])


def test_an_unknown_type_is_an_error_that_says_the_name() -> None:
    with pytest.raises(codec.UnknownTypeError, match=r"user\.sneezed\.v1"):
        codec.decode("user.sneezed.v1", b"[]")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="EC-Q-024 empty"),
        pytest.param(b"{}", id="EC-Q-024 no batch"),
        pytest.param(b"[{}]", id="EC-Q-024 no envelope"),
        pytest.param(b"[" * 100_000, id="EC-Q-024 deep"),
        pytest.param(codec.encode([a_refusal()]).replace(b'"release":1', b'"release":0'), id="0"),
        pytest.param(codec.encode([a_refusal()]).replace(b"refused", b"accepted"), id="other type"),
    ],
)
def test_a_malformed_batch_is_refused(body: bytes) -> None:
    with pytest.raises(codec.MalformedError):
        codec.decode(dispatch.DELIVERY_REFUSED, body)


def test_one_bad_item_can_be_told_from_its_neighbours() -> None:
    good = codec.encode_items([a_refusal()])
    parts = codec.split(b"[" + good + b',{"broken":1},' + good + b"]")
    assert len(parts) == 3
    assert codec.decode(dispatch.DELIVERY_REFUSED, parts[2]) == [a_refusal()]
    with pytest.raises(codec.MalformedError):
        codec.decode(dispatch.DELIVERY_REFUSED, parts[1])


def test_consumers_may_meet_fields_they_do_not_know() -> None:
    body = codec.encode([a_refusal()]).replace(b'"reason"', b'"added_later":1,"reason"')
    assert codec.decode(dispatch.DELIVERY_REFUSED, body) == [a_refusal()]


def test_an_envelope_has_the_attributes_cloudevents_requires() -> None:
    written = msgspec.json.decode(codec.encode([a_refusal()]))[0]
    assert {"specversion", "id", "source", "type"} <= written.keys()
    assert written["specversion"] == "1.0"
