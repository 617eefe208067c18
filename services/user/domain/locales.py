"""Rules for languages and places in time."""

import re
from functools import cache, lru_cache

from libs.localtime import UnknownZoneError, canonical_zone, zone_names
from services.user.domain.errors import FieldRefusedError
from services.user.domain.nearness import Nearest, did_you_mean
from services.user.domain.texts import text_of

ZONE_MAX = 64
LOCALE_MAX = 35

# The langtag production of RFC 5646, section 2.1, without the grandfathered tags.
_LANGTAG = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})"
    r"(?:-[a-z]{4})?"
    r"(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?",
    re.IGNORECASE | re.ASCII,
)


def parse_zone(value: object) -> str:
    """Return the IANA zone in its canonical spelling; an alias stays the alias it is.

    Raises:
        FieldRefusedError: no such zone, an abbreviation, an offset, or longer than 64 characters.
    """
    text = text_of(value)
    if len(text) > ZONE_MAX:
        raise FieldRefusedError("too_long", f"must have at most {ZONE_MAX} characters")
    try:
        return canonical_zone(text)
    except UnknownZoneError as error:
        raise FieldRefusedError("unknown_time_zone", _no_zone(text)) from error


def parse_locale(value: object) -> str:
    """Return the BCP 47 language tag in its usual case, such as ``zh-Hant-TW``.

    Raises:
        FieldRefusedError: malformed, or longer than 35 characters.
    """
    text = text_of(value)
    if len(text) > LOCALE_MAX or not _LANGTAG.fullmatch(text):
        raise FieldRefusedError("invalid_locale", "must be a BCP 47 language tag such as pt-BR")
    return _usual_case(text)


@lru_cache(maxsize=1024)
def _no_zone(text: str) -> str:
    meant = did_you_mean(_zones().to(text))
    return f"must be an IANA time zone name such as Europe/Berlin{meant}"


@cache
def _zones() -> Nearest:
    return Nearest(zone_names(), alike_at_least=0.8)


def _usual_case(tag: str) -> str:
    """Return ``tag`` with lower-case language, Script and REGION (RFC 5646, section 2.1.1)."""
    subtags = tag.lower().split("-")
    singletons = (index for index, subtag in enumerate(subtags) if len(subtag) == 1)
    extensions = next(singletons, len(subtags))
    cased = [_CASES.get(len(subtag), str.lower)(subtag) for subtag in subtags[1:extensions]]
    return "-".join([subtags[0], *cased, *subtags[extensions:]])


_CASES = {2: str.upper, 4: str.title}
