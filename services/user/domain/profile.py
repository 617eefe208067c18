"""What a client says about a person, and how a document becomes that."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Literal

import msgspec

from services.user.domain.dates import is_after, parse_date
from services.user.domain.emails import parse_email
from services.user.domain.errors import FieldError, FieldRefusedError, Invalid, pointer_to
from services.user.domain.locales import parse_locale, parse_zone
from services.user.domain.nearness import Nearest, did_you_mean
from services.user.domain.texts import parse_external_id, parse_name

LeapDay = Literal["feb28", "mar1"]
_LEAP_DAYS = ("feb28", "mar1")
_NAME_SHOWN_MAX = 100

REQUIRED_FIELDS = ("first_name", "last_name", "email", "timezone")
DATE_FIELDS = ("birthday", "anniversary")
SCHEDULE_FIELDS = frozenset({"timezone", "leap_day", *DATE_FIELDS})
"""Fields from which instants are computed."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The fields a client may set, all valid. ``opt_outs`` is sorted and without repetition."""

    first_name: str
    last_name: str
    email: str
    timezone: str
    birthday: str | None = None
    anniversary: str | None = None
    locale: str = "en"
    leap_day: LeapDay = "feb28"
    opt_outs: tuple[str, ...] = ()
    external_id: str | None = None
    location_city: str | None = None
    location_country: str | None = None


class Rules(msgspec.Struct, frozen=True):
    """What the rules depend on: the last acceptable day, the kinds one can opt out of."""

    today: date
    kinds: frozenset[str]


def parse_profile(document: Mapping[str, Any], rules: Rules) -> Profile | Invalid:
    """Return the profile that ``document`` describes in full, or everything wrong with it.

    An optional field that is null counts as absent.
    """
    values, errors = _values(document, rules)
    errors += [
        FieldError(pointer_to(name), "missing", "is required")
        for name in REQUIRED_FIELDS
        if name not in document
    ]
    return Invalid(tuple(errors)) if errors else _ordered(Profile(**values))


def merge_profile(current: Profile, patch: Mapping[str, Any], rules: Rules) -> Profile | Invalid:
    """Return ``current`` with ``patch`` merged in (RFC 7396), or everything wrong with the patch.

    Fields the patch does not name are not judged again.
    """
    values, errors = _values(patch, rules)
    if errors:
        return Invalid(tuple(errors))
    merged = msgspec.structs.replace(current, **values)
    return merged if values.keys().isdisjoint(DATE_FIELDS) else _ordered(merged)


def unknown_field(name: str) -> FieldError:
    """Return the refusal of a field that people do not have, with the one it may be meant for."""
    shown = name[:_NAME_SHOWN_MAX]
    detail = f"is not a field of a person{did_you_mean(_FIELDS.to(shown))}"
    return FieldError(pointer_to(shown), "unknown_field", detail)


def changed_fields(before: Profile, after: Profile) -> tuple[str, ...]:
    """Return the names of the fields in which the two differ, in their usual order."""
    return tuple(
        name for name in Profile.__struct_fields__ if getattr(before, name) != getattr(after, name)
    )


def _values(document: Mapping[str, Any], rules: Rules) -> tuple[dict[str, Any], list[FieldError]]:
    """Return the valid values by field name, and the faults of the others."""
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, value in document.items():
        try:
            if value is None and name in _DEFAULTS:
                values[name] = _DEFAULTS[name]
            elif name in _PARSERS:
                values[name] = _PARSERS[name](value)
            elif name in _PARSERS_BY_RULES:
                values[name] = _PARSERS_BY_RULES[name](value, rules)
            else:
                errors.append(unknown_field(name))
        except FieldRefusedError as refused:
            errors.append(refused.at("/" + name))
    return values, errors


def _ordered(profile: Profile) -> Profile | Invalid:
    """Return ``profile`` unless its anniversary does not lie after its birthday."""
    if profile.birthday is None or profile.anniversary is None:
        return profile
    if is_after(profile.anniversary, profile.birthday) is False:
        fault = FieldError("/anniversary", "not_after_birthday", "must lie after the birthday")
        return Invalid((fault,))
    return profile


def _parse_leap_day(value: object) -> str:
    if value in _LEAP_DAYS:
        return str(value)
    raise FieldRefusedError("invalid_leap_day", "must be feb28 or mar1")


def _parse_opt_outs(value: object, rules: Rules) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise FieldRefusedError("wrong_type", "must be a list of kinds")
    for index, kind in enumerate(value):
        if not isinstance(kind, str) or kind not in rules.kinds:
            known = ", ".join(sorted(rules.kinds))
            raise FieldRefusedError("unknown_kind", f"must be one of {known}", within=f"/{index}")
    return tuple(sorted(set(value)))


def _parse_dated(value: object, rules: Rules) -> str:
    return parse_date(value, today=rules.today)


_PARSERS: dict[str, Callable[[object], str]] = {
    "first_name": parse_name,
    "last_name": parse_name,
    "email": parse_email,
    "timezone": parse_zone,
    "locale": parse_locale,
    "leap_day": _parse_leap_day,
    "external_id": parse_external_id,
    "location_city": parse_name,
    "location_country": parse_name,
}
_PARSERS_BY_RULES: dict[str, Callable[[object, Rules], Any]] = {
    "birthday": _parse_dated,
    "anniversary": _parse_dated,
    "opt_outs": _parse_opt_outs,
}
_FIELDS = Nearest(Profile.__struct_fields__, alike_at_least=0.7)
_DEFAULTS: dict[str, Any] = {
    "birthday": None,
    "anniversary": None,
    "locale": "en",
    "leap_day": "feb28",
    "opt_outs": (),
    "external_id": None,
    "location_city": None,
    "location_country": None,
}
