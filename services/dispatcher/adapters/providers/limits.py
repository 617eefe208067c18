"""How long an HTTP answer asks us to leave the provider alone.

``Retry-After`` (RFC 9110, 10.2.3) on refusals; on any answer the rate limit's remaining requests
and its reset, as ``RateLimit-…`` or ``X-RateLimit-…``. Points in time are measured against the
``Date`` of the same answer: only the server's own clock knows what it meant. Names of headers are
asked for in lower case.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_PAUSE_S = 3600.0

_PREFIXES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")
_EPOCH_S = 1_000_000_000.0
"""A reset beyond this is a point in time (Unix seconds), not a number of seconds from now."""
_REMAINING = re.compile(r"(?:^|[;,\s])(?:r|remaining)=(\d+)")
_RESET = re.compile(r"(?:^|[;,\s])(?:t|reset)=(\d+)")


def pause_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds for which a refusal asks for peace; None where it says nothing readable.

    Never more than an hour, and 0 for a moment that has passed.
    """
    if (given := headers.get("retry-after")) is not None:
        return _bounded(_seconds_until(given, headers))
    return _bounded(_until_reset(headers))


def slow_down_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the limit's reset where an answer says that nothing remains."""
    return _bounded(_until_reset(headers)) if _remaining(headers) == 0 else None


def _seconds_until(given: str, headers: Mapping[str, str]) -> float | None:
    number = _number(given)
    if number is not None:
        return number
    then, now = _instant(given), _instant(headers.get("date", ""))
    return (then - now).total_seconds() if then and now else None


def _until_reset(headers: Mapping[str, str]) -> float | None:
    reset_s = _number(_limit(headers, "reset", _RESET))
    if reset_s is None or reset_s < _EPOCH_S:
        return reset_s
    now = _instant(headers.get("date", ""))
    return reset_s - now.timestamp() if now else None


def _remaining(headers: Mapping[str, str]) -> float | None:
    return _number(_limit(headers, "remaining", _REMAINING))


def _limit(headers: Mapping[str, str], name: str, combined: re.Pattern[str]) -> str:
    """Return a value of the limit, from its own header or from the combined ``RateLimit``."""
    for prefix in _PREFIXES:
        if (given := headers.get(prefix + name)) is not None:
            return given
    found = combined.search(headers.get("ratelimit", ""))
    return found[1] if found else ""


def _number(given: str) -> float | None:
    try:
        number = float(given)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _instant(given: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(given)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _bounded(asked_s: float | None) -> float | None:
    return None if asked_s is None else min(max(asked_s, 0.0), LONGEST_PAUSE_S)
