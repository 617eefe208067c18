"""Delivers one batch of requests, from the gate to the recorded outcomes."""

from collections.abc import Callable, Sequence

from contracts.dispatch import DispatchRequested
from libs import outbox
from libs.clock import monotonic_s
from services.dispatcher.adapters.messages import Returned, messages
from services.dispatcher.adapters.metrics import REQUESTS_JUDGED
from services.dispatcher.app.claim_requests import claim_requests
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.provider_gate import await_open_gate, give_back, keep_pause
from services.dispatcher.app.record_outcomes import record_outcomes
from services.dispatcher.app.send_claims import send_claims

GATE_WAIT_S = 600.0
"""Longest wait for a provider that is out of reach, real time: below the broker's own patience."""


async def deliver_requests(
    courier: Courier,
    requests: Sequence[DispatchRequested],
    *,
    is_draining: Callable[[], bool] = lambda: False,
    gate_wait_s: float = GATE_WAIT_S,
) -> None:
    """Deliver what may be delivered and answer every request; return when all is recorded.

    What the provider's rate does not allow yet waits here, unclaimed, and goes out slice by slice.
    Repeating it, after a crash at any point, sends nothing twice: the claim recognises copies.

    Raises:
        DrainingError: the process is stopping; what was not sent is not claimed.
        RefusedValuesError: a request cannot be stored; nothing was claimed.
    """
    gate_until_s = monotonic_s() + gate_wait_s
    rest = requests
    while rest:
        admitted = await await_open_gate(
            courier,
            wanted=len(rest),
            longest_s=gate_until_s - monotonic_s(),
            is_draining=is_draining,
        )
        if not admitted:
            await _return_all(courier, rest)
            return
        await _deliver_some(courier, rest[:admitted])
        rest = rest[admitted:]


async def _deliver_some(courier: Courier, requests: Sequence[DispatchRequested]) -> None:
    claimed = await claim_requests(courier, requests)
    claims = len(claimed.claims) if claimed else 0
    await give_back(courier, unused=len(requests) - claims)
    if claimed is None:
        return
    results = await send_claims(courier, claimed)
    await record_outcomes(courier, claimed, results)
    await keep_pause(courier, results)


async def _return_all(courier: Courier, requests: Sequence[DispatchRequested]) -> None:
    """Let the planner decide anew: it knows when these become too late, we only wait."""
    returned = [Returned(request, "unavailable") for request in requests]
    async with courier.pool.acquire() as connection, connection.transaction():
        await outbox.put(connection, messages([], returned, now=courier.clock.now()))
    REQUESTS_JUDGED.add(len(returned), verdict="unavailable")
