"""The fields people are searched by, as they stand in the table."""

import msgspec

from services.user.domain.dates import month_day_number
from services.user.domain.emails import key_of
from services.user.domain.profile import Profile
from services.user.domain.texts import search_key


class SearchColumns(msgspec.Struct, frozen=True):
    """One person's searched fields."""

    email_key: str
    external_id: str | None
    name_key: str
    family_name_key: str
    birthday_month_day: int | None
    timezone: str


def search_columns(profile: Profile) -> SearchColumns:
    """Return the searched fields of ``profile``."""
    return SearchColumns(
        email_key=key_of(profile.email),
        external_id=profile.external_id,
        name_key=search_key(f"{profile.first_name} {profile.last_name}"),
        family_name_key=search_key(profile.last_name),
        birthday_month_day=month_day_number(profile.birthday) if profile.birthday else None,
        timezone=profile.timezone,
    )
