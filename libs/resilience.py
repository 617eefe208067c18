"""The retry policy and the circuit breaker: in one place, for everyone."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import TypeVar

import aio_pika.exceptions
import asyncpg
import tenacity
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from libs.clock import monotonic_s

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_DELAY_S = 2.0
LONGEST_DELAY_S = 3600.0
JITTER = 0.25
"""A delay is drawn from [1 - JITTER, 1] times its nominal length, so that a herd spreads."""

_GONE = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ConnectionDoesNotExistError,
    aio_pika.exceptions.AMQPConnectionError,
)


_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    aio_pika.exceptions.ProbableAuthenticationError,
    ssl.SSLCertVerificationError,
)

PASSING = (
    *_GONE,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
)
"""What a database that is away, starting, stopping or untangling a deadlock looks like."""


async def repeating(call: Callable[[], Awaitable[T]], *, within_s: float) -> T:
    """Return what ``call`` returns; while PostgreSQL is away or found a deadlock, call it again.

    ``call`` must do the same whether or not an earlier try took effect. The error of the last try
    is raised once ``within_s`` real seconds have passed.
    """
    policy = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(PASSING),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
        stop=tenacity.stop_after_delay(within_s),
        before_sleep=lambda state: logger.warning(
            "transaction.repeated", extra={"attempt": state.attempt_number}
        ),
        reraise=True,
    )

    async def attempt() -> T:
        return await call()

    return await policy(attempt)


def retry_delay_s(attempt: int, *, random: Random) -> float:
    """Return how long to wait after the ``attempt``-th failure: 2, 4, 8, 16, 32 … 3600 s, jittered.

    ``attempt`` counts from 1. The result is in calendar seconds.
    """
    nominal_s = min(FIRST_DELAY_S * 2.0 ** min(attempt - 1, 30), LONGEST_DELAY_S)
    return nominal_s * (1 - JITTER * random.random())


async def connecting(connect: Callable[[], Awaitable[T]], *, to: str) -> T:
    """Call ``connect`` until it succeeds; a server that is not up yet is waited for, and logged.

    What waiting cannot mend is raised at once.

    Raises:
        LoginRefusedError: the server knows no such user, password or database, or its certificate
            is not valid.
    """
    policy = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_worth_waiting),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
        stop=tenacity.stop_never,
        before_sleep=lambda state: logger.warning(
            "connection.awaited", extra={"to": to, "attempt": state.attempt_number}
        ),
    )

    async def attempt() -> T:
        return await connect()

    with clear_refusals(to):
        return await policy(attempt)


class LoginRefusedError(Exception):
    """A server is up and does not let us in, or is not the one it should be.

    Only an operator can mend that.
    """

    def __init__(self, to: str, cause: BaseException) -> None:
        what = "does not let us in", "mend user, password or name in its URL"
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = "has no valid certificate", "renew it, or mend host and authority in its URL"
        super().__init__(f"{to} {what[0]} ({cause}): {what[1]}")


@contextlib.contextmanager
def clear_refusals(to: str) -> Iterator[None]:
    """Turn a refused login or a wrong certificate into ``LoginRefusedError``."""
    try:
        yield
    except _REFUSALS as error:
        raise LoginRefusedError(to, error) from error


def _worth_waiting(error: BaseException) -> bool:
    return isinstance(error, _GONE) and not isinstance(error, _REFUSALS)


class CircuitOpenError(Exception):
    """The breaker is open: nothing is sent until it lets a probe through."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the breaker of {name} is open")
        self.name = name


class Guard:
    """A circuit breaker around one dependency.

    Opens after ``threshold`` failures in a row; after ``reset_after_s`` a single probe decides
    whether it closes. Exceptions of the types in ``ignore`` are no failures; neither is a
    cancellation.
    """

    def __init__(
        self,
        name: str,
        *,
        threshold: int = 5,
        reset_after_s: float = 30.0,
        ignore: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.name = name
        self._probe = asyncio.Lock()
        self._state = "closed"
        self._opened_at_s = 0.0
        self._reset_after_s = reset_after_s
        self._factory = AsyncCircuitBreakerFactory(
            default_threshold=threshold,
            default_ttl=reset_after_s,
            exclude=[asyncio.CancelledError, *ignore],
        )

    @property
    def state(self) -> str:
        """``closed``, ``opened`` or ``half-opened``, as of the last call."""
        return self._state

    def is_open(self) -> bool:
        """Tell whether a call now would be refused."""
        if self._state == "opened" and monotonic_s() - self._opened_at_s >= self._reset_after_s:
            return self._probe.locked()
        return self._state == "opened" or (self._state == "half-opened" and self._probe.locked())

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what ``call`` returns.

        Raises:
            CircuitOpenError: the breaker is open, or half open and probing already.
        """
        breaker = await self._factory.get_breaker(self.name)
        if breaker.context.state == "closed":
            return await self._guarded(call)
        # Half open, purgatory would let everyone through at once: one probe is enough.
        if self._probe.locked():
            raise CircuitOpenError(self.name)
        async with self._probe:
            return await self._guarded(call)

    async def _guarded(self, call: Callable[[], Awaitable[T]]) -> T:
        breaker = await self._factory.get_breaker(self.name)
        was_refused = False
        try:
            async with breaker:
                return await call()
        except OpenedState as error:
            # purgatory raises one and the same instance; its traceback would grow for ever.
            error.__traceback__ = None
            was_refused = True
            raise CircuitOpenError(self.name) from None
        finally:
            self._note(breaker.context.state, was_refused=was_refused)

    def _note(self, state: str, *, was_refused: bool) -> None:
        """Remember the state; a failed probe opens the breaker anew, a refusal does not."""
        if state == "opened" and not was_refused:
            self._opened_at_s = monotonic_s()
        self._state = state
