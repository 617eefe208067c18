"""Hands claimed greetings to the provider."""

import logging
import math
from collections.abc import Sequence
from datetime import datetime

from libs.clock import monotonic_s
from libs.resilience import PASSING, CircuitOpenError, repeating
from libs.telemetry.metrics import timed
from libs.telemetry.tracing import span
from services.dispatcher.adapters import delivery_claims
from services.dispatcher.adapters.metrics import BREAKER_IS_OPEN, PROVIDER_SECONDS
from services.dispatcher.app.claim_requests import Claimed
from services.dispatcher.app.courier import Courier
from services.dispatcher.domain.address import UnusableAddressError
from services.dispatcher.domain.delivery import (
    CALL_RESERVE_S,
    Claim,
    Deferred,
    Refused,
    Result,
    is_trouble,
)
from services.dispatcher.domain.greeting import Greetings, Mail, RenderingError

logger = logging.getLogger(__name__)

LEASE_LOOK_WITHIN_S = 5.0
"""How long the database is asked for what is left of a lease before the mails are put off."""

_ADDRESS_UNUSABLE = Refused("address_unusable")
_NOT_RENDERED = Refused("rendering_failed")
_BREAKER_OPEN = Deferred("unavailable")


class _ProviderTroubleError(Exception):
    """No mail of a call got a definite answer; the breaker counts these."""

    def __init__(self, results: list[Result]) -> None:
        super().__init__("the provider gave no definite answer")
        self.results = results


async def send_claims(courier: Courier, claimed: Claimed) -> list[Result]:
    """Return what became of each claim, in order.

    Everything that can be prepared is, then the lease is looked at once more by the database's
    clock, then the provider is called. Between that look and the provider's socket a frozen
    process could still outlive its lease; nothing on this side can close that window.
    """
    mails = [_render(courier.greetings, claimed, claim) for claim in claimed.claims]
    ready = [mail for mail in mails if isinstance(mail, Mail)]
    sent = iter(await _deliver(courier, ready, claimed.lease_until) if ready else [])
    return [next(sent) if isinstance(mail, Mail) else mail for mail in mails]


def _render(greetings: Greetings, claimed: Claimed, claim: Claim) -> Mail | Refused:
    try:
        return greetings.render(claim, claimed.text_of(claim))
    except UnusableAddressError:
        return _ADDRESS_UNUSABLE
    except RenderingError as error:
        logger.error(  # noqa: TRY400 - values of a mail have no place in a log
            "mail.not_rendered", extra={"kind": claim.request.kind, "template": str(error)}
        )
        return _NOT_RENDERED


async def _deliver(courier: Courier, mails: Sequence[Mail], lease_until: datetime) -> list[Result]:
    traits = courier.provider.traits
    start_before_s = await _last_start_s(courier, lease_until)

    async def call() -> list[Result]:
        results = await courier.provider.deliver(mails, start_before_s=start_before_s)
        if is_trouble(results):
            raise _ProviderTroubleError(results)
        return results

    with (
        span("provider.deliver", kind="client", attributes={"mails": len(mails)}),
        timed(PROVIDER_SECONDS, provider=traits.name),
    ):
        try:
            return await courier.guard.run(call)
        except _ProviderTroubleError as trouble:
            return trouble.results
        except CircuitOpenError:
            return [_BREAKER_OPEN] * len(mails)
        finally:
            BREAKER_IS_OPEN.set(courier.guard.state != "closed", provider=traits.name)


async def _last_start_s(courier: Courier, lease_until: datetime) -> float:
    """Return until when (monotonic) a call may start and still end within the lease."""
    # Before the question: the answer is then at most as far ahead as the lease's real end.
    asked_s = monotonic_s()
    try:
        left_s = await repeating(
            lambda: _lease_left_s(courier, lease_until), within_s=LEASE_LOOK_WITHIN_S
        )
    except PASSING:
        # Nobody can say that the lease holds: no call starts, so these mails are surely not sent.
        return -math.inf
    return asked_s + left_s - courier.provider.traits.timeout_s - CALL_RESERVE_S


async def _lease_left_s(courier: Courier, lease_until: datetime) -> float:
    async with courier.pool.acquire() as connection:
        return await delivery_claims.read_lease_left_s(connection, lease_until)
