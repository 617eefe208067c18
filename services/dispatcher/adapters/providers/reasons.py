"""What an HTTP status or a broken connection says about a mail."""

import asyncio
import math

import aiohttp

from services.dispatcher.domain.delivery import Deferred, Refused, Result, Unknown

LEASE_SHORT = Deferred("lease_short")

_NOT_TAKEN = {
    301: "misconfigured",
    302: "misconfigured",
    307: "misconfigured",
    308: "misconfigured",
    401: "unauthorised",
    403: "unauthorised",
    407: "misconfigured",
    408: "timed_out_reading",
    425: "server_error",
    429: "rate_limited",
    503: "server_error",
}
_LONGEST_PAUSE_S = 3600.0


def result_of_status(
    status: int, retry_after: str | None, *, is_500_definite: bool = False
) -> Result:
    """Return what an answer other than success means for the mails of the request.

    A gateway's error, and an internal one unless ``is_500_definite``, may have come after the mail
    was taken.
    """
    if reason := _NOT_TAKEN.get(status):
        return Deferred(reason, status, pause_s(retry_after))
    if status == 500 and is_500_definite:
        return Deferred("server_error", status, pause_s(retry_after))
    if 400 <= status < 500:
        return Refused("request_refused", status)
    return Unknown("unclear_answer", status)


def pause_s(retry_after: str | None) -> float | None:
    """Return the seconds that ``Retry-After`` asks for; None where it is absent or unreadable."""
    if retry_after is None:
        return None
    try:
        asked_s = float(retry_after)
    except ValueError:
        return None
    if not math.isfinite(asked_s):
        return None
    return min(max(asked_s, 0.0), _LONGEST_PAUSE_S)


def result_of_failure(error: aiohttp.ClientError | TimeoutError | OSError) -> Result:
    """Return what a failed call means: only what broke before the connection stood is certain."""
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return Deferred("unreachable")
    if isinstance(error, aiohttp.InvalidURL | aiohttp.ClientSSLError):
        return Deferred("misconfigured")
    if isinstance(error, asyncio.TimeoutError):
        return Unknown("timed_out")
    return Unknown("connection_lost")
