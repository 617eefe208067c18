"""What an HTTP status or a broken connection says about a mail."""

import asyncio

import aiohttp

from services.dispatcher.adapters.providers.http_wire import HungUpError, UnreadableAnswerError
from services.dispatcher.domain.delivery import Deferred, Refused, Result, Unknown

LEASE_SHORT = Deferred("lease_short")


class NotConnectedError(Exception):
    """No connection could be made; ``result`` is what that means for a mail."""

    def __init__(self, result: Deferred) -> None:
        super().__init__(result.reason)
        self.result = result


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


def result_of_status(
    status: int, pause_s: float | None, *, is_500_definite: bool = False
) -> Result:
    """Return what an answer other than success means for the mails of the request.

    ``pause_s`` is how long it asks to be left alone. A gateway's error, and an internal one unless
    ``is_500_definite``, may have come after the mail was taken.
    """
    if reason := _NOT_TAKEN.get(status):
        return Deferred(reason, status, pause_s)
    if status == 500 and is_500_definite:
        return Deferred("server_error", status, pause_s)
    if 400 <= status < 500:
        return Refused("request_refused", status)
    return Unknown("unclear_answer", status)


def result_of_failure(error: aiohttp.ClientError | TimeoutError | OSError) -> Result:
    """Return what a failed call means: only what broke before the connection stood is certain."""
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch):
        return Deferred("tls_failed")
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return Deferred("unreachable")
    if isinstance(error, aiohttp.InvalidURL):
        return Deferred("misconfigured")
    if isinstance(error, asyncio.TimeoutError):
        return Unknown("timed_out")
    return Unknown("connection_lost")


def result_of_lost_answer(
    error: HungUpError | UnreadableAnswerError | TimeoutError,
) -> Unknown:
    """Return what it means that a request went out and no whole answer came."""
    if isinstance(error, TimeoutError):
        return Unknown("timed_out")
    if isinstance(error, HungUpError):
        return Unknown("connection_lost")
    return Unknown("unreadable_answer")
