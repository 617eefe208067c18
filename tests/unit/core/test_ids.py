"""Identifiers."""

from datetime import date
from uuid import UUID, uuid5

import pytest

from libs import ids

PERSON = UUID("0198f0aa-0000-7000-8000-000000000001")


def test_new_ids_are_version_7_and_ordered_by_time() -> None:
    made = [ids.new_id() for _ in range(100)]
    assert {made_id.version for made_id in made} == {7}
    assert made[0].int >> 80 <= made[-1].int >> 80
    assert len(set(made)) == 100


def test_an_occurrence_key_reads_back() -> None:
    key = ids.occurrence_key(date(2026, 6, 14), PERSON, "birthday")
    assert key == f"2026-06-14/{PERSON}/birthday"
    assert ids.parse_occurrence_key(key) == (date(2026, 6, 14), PERSON, "birthday")


def test_an_occurrence_keeps_its_uuid_for_ever() -> None:
    key = ids.occurrence_key(date(2026, 6, 14), PERSON, "birthday")
    assert ids.occurrence_uuid(key) == "2af6d947-d966-514b-a6a4-9a429979f752"


def test_the_uuid_of_an_occurrence_is_a_version_5() -> None:
    namespace = UUID("6f2c1a0e-6f0b-5d0a-9a53-0d8c3f1b7e21")
    keys = [f"2026-06-14/{PERSON}/kind_{number}" for number in range(200)]
    assert [ids.occurrence_uuid(key) for key in keys] == [str(uuid5(namespace, k)) for k in keys]


@pytest.mark.parametrize("key", ["", "2026-06-14", "x/y/z", f"2026-06-14/{PERSON}/Bad"])
def test_what_is_no_occurrence_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="occurrence key"):
        ids.parse_occurrence_key(key)
