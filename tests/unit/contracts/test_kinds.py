"""The registry of kinds."""

import msgspec
import pytest

from contracts.kinds import KINDS, registry
from contracts.kinds.birthday import BIRTHDAY
from contracts.kinds.registry import KindError


def test_birthday_and_anniversary_ship() -> None:
    assert set(KINDS) == {"birthday", "anniversary"}


def test_ec_st_002_a_kind_registered_twice_is_refused_naming_both() -> None:
    with pytest.raises(KindError, match="twice"):
        registry(BIRTHDAY, msgspec.structs.replace(BIRTHDAY, template_version=2))


@pytest.mark.parametrize("name", ["", "Birthday", "birth day", "1st", "x" * 41])
def test_ec_st_003_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(KindError, match="must match"):
        registry(msgspec.structs.replace(BIRTHDAY, name=name))


def test_ec_st_012_an_empty_text_is_refused() -> None:
    english = msgspec.structs.replace(BIRTHDAY.templates["en"], text=" ")
    with pytest.raises(KindError, match="empty"):
        registry(msgspec.structs.replace(BIRTHDAY, templates={"en": english}))
