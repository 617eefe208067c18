"""What the lanes of a planner may release together, whatever each of them has seen."""

import pytest

from services.planner.domain.room import Room


def counted(room: Room, unanswered: int) -> None:
    room.end_count(room.begin_count(), unanswered)


def test_nothing_is_released_before_anybody_has_counted() -> None:
    with Room(10).share(5) as share:
        assert share.rows == 0


def test_what_is_unanswered_is_not_free() -> None:
    room = Room(10)
    counted(room, 7)
    with room.share(5) as share:
        assert share.rows == 3
    with room.share(5) as share:
        assert share.rows == 0


def test_what_a_batch_did_not_use_is_free_again() -> None:
    room = Room(10)
    counted(room, 0)
    with room.share(8) as share:
        share.released = 2
    assert room.free == 8


def test_lanes_that_look_at_once_share_the_room() -> None:
    room = Room(10)
    counted(room, 0)
    counted(room, 0)
    with room.share(6) as first, room.share(6) as second:
        assert (first.rows, second.rows) == (6, 4)


def test_a_count_that_ends_while_a_batch_is_under_way_leaves_its_room_taken() -> None:
    room = Room(10)
    counted(room, 0)
    with room.share(6):
        counted(room, 0)
        assert room.free == 4
    assert room.free == 4


def test_a_batch_that_begins_and_ends_during_a_count_is_not_overlooked() -> None:
    room = Room(10)
    counted(room, 0)
    mark = room.begin_count()
    with room.share(6):
        pass
    room.end_count(mark, 0)
    assert room.free == 4


def test_a_batch_that_fails_may_have_been_released() -> None:
    room = Room(10)
    counted(room, 0)
    with pytest.raises(OSError, match="gone"), room.share(6):
        raise OSError("gone")
    assert room.free == 4
    counted(room, 0)
    assert room.free == 10


def test_a_limit_that_was_lowered_waits_for_answers() -> None:
    room = Room(10)
    counted(room, 25)
    assert room.free == -15
    with room.share(5) as share:
        assert share.rows == 0
