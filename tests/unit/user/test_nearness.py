"""What a misspelt word was meant to be."""

import pytest

from services.user.domain.errors import FieldRefusedError
from services.user.domain.locales import parse_zone
from services.user.domain.profile import unknown_field


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("Amercia/Los_Angeles", "America/Los_Angeles"),
        (" Europe/Paris", "Europe/Paris"),
        ("Tokio", "Asia/Tokyo"),
        ("US/Estern", "US/Eastern"),
        ("EST5", None),
        ("CET", None),
        ("+05:30", None),
        ("Mars/Phobos", None),
        ("", None),
    ],
)
def test_zone_is_offered(given: str, meant: str | None) -> None:
    with pytest.raises(FieldRefusedError) as refused:
        parse_zone(given)
    _, _, offered = refused.value.detail.partition("; did you mean ")
    assert offered == (f"{meant}?" if meant else "")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("e-mial", "email"),
        ("First Name", "first_name"),
        ("birth_date", "birthday"),
        ("time_zone", "timezone"),
        ("nick", None),
        ("x", None),
    ],
)
def test_field_is_offered(given: str, meant: str | None) -> None:
    _, _, offered = unknown_field(given).detail.partition("; did you mean ")
    assert offered == (f"{meant}?" if meant else "")
