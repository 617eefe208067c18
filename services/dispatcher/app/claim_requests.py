"""Takes requests for sending: the only door to the provider."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from contracts.dispatch import DispatchRequested
from libs import outbox
from libs.clock import monotonic_s
from libs.ids import new_id
from libs.postgres.types import Connection
from libs.resilience import repeating
from services.dispatcher.adapters import delivery_claims, delivery_outcomes
from services.dispatcher.adapters.delivery_cases import OpposedError
from services.dispatcher.adapters.delivery_claims import Judged, Judgement
from services.dispatcher.adapters.messages import Returned, messages
from services.dispatcher.adapters.metrics import (
    CLAIM_SECONDS,
    OUTCOMES_RECORDED,
    REQUESTS_JUDGED,
)
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.keep_texts import read_texts
from services.dispatcher.domain.delivery import (
    OUTCOME,
    RETURNED_REASONS,
    SUPPRESSED_REASONS,
    Claim,
    DeliveryEvent,
)
from services.dispatcher.domain.texts import Text, Texts

REPEATED_WITHIN_S = 10.0

_HELD = frozenset({"held", "already_greeted"})


class Claimed(msgspec.Struct, frozen=True):
    """What is ours to send until ``lease_until``, by the database's clock.

    ``texts`` holds what the claims are written from, by the choice as of which it held.
    """

    claim_id: UUID
    claims: list[Claim]
    lease_until: datetime
    texts: Mapping[int, Texts]

    def text_of(self, claim: Claim) -> Text:
        """Return the text from which the mail of ``claim`` is written."""
        texts = self.texts[claim.writing.texts_as_of]
        return texts.best(claim.request.kind, claim.recipient.locale)


async def claim_requests(courier: Courier, requests: Sequence[DispatchRequested]) -> Claimed | None:
    """Claim what may be sent now and answer the rest; None when nothing is ours.

    Claims, suppressions and answers are one transaction. Of a copy the answer is what is recorded
    of its occurrence, or nothing while it is in flight. A crash after the commit leaves claims
    without outcome, which are found once their lease has passed.

    Raises:
        RefusedValuesError: a request cannot be stored; nothing was claimed.
    """
    started_s = monotonic_s()
    attempts = list({_key(request): request for request in requests}.values())
    known = [request for request in attempts if request.kind in courier.kinds]
    returned = [
        Returned(request, "kind_unknown")
        for request in attempts
        if request.kind not in courier.kinds
    ]
    claim_id = new_id()
    claimed = await repeating(
        lambda: _claim(courier, known, returned, claim_id), within_s=REPEATED_WITHIN_S
    )
    CLAIM_SECONDS.observe(monotonic_s() - started_s)
    return claimed


async def _claim(
    courier: Courier,
    requests: Sequence[DispatchRequested],
    returned: Sequence[Returned],
    claim_id: UUID,
) -> Claimed | None:
    """Claim as a whole what seems to be sent for the first time; where that fails, one by one."""
    if requests and not returned and all(request.release == 1 for request in requests):
        try:
            return await _claim_unopposed(courier, requests, claim_id)
        except OpposedError:
            pass  # A transaction that was refused must end; the other way begins with a new one.
    return await _claim_judged(courier, requests, returned, claim_id)


async def _claim_unopposed(
    courier: Courier, requests: Sequence[DispatchRequested], claim_id: UUID
) -> Claimed:
    now, texts = courier.clock.now(), courier.greetings.texts
    async with courier.pool.acquire() as connection, connection.transaction():
        judgement = await delivery_claims.claim_unopposed(
            connection,
            requests,
            now=now,
            claim_id=claim_id,
            lease_s=courier.lease_s,
            provider=courier.provider.traits.name,
            texts_as_of=texts.as_of,
        )
    _count(judgement, [], [])
    return Claimed(claim_id, judgement.claims, judgement.lease_until, {texts.as_of: texts})


async def _claim_judged(
    courier: Courier,
    requests: Sequence[DispatchRequested],
    returned: Sequence[Returned],
    claim_id: UUID,
) -> Claimed | None:
    now, texts = courier.clock.now(), courier.greetings.texts
    async with courier.pool.acquire() as connection, connection.transaction():
        judgement = await _judge(
            courier, connection, requests, claim_id=claim_id, now=now, texts_as_of=texts.as_of
        )
        others = judgement.others if judgement else []
        ended = await _end_unsent(courier, connection, others, now=now)
        claims = await _written_claims(courier, connection, judgement.claims if judgement else [])
        keyless = [claim for claim in claims if _is_left_alone(courier, claim)]
        if keyless:
            claims = [claim for claim in claims if not _is_left_alone(courier, claim)]
            ended += await _end_keyless(courier, connection, keyless, now=now)
        copies = [one.request for one in others if one.verdict == "copy"]
        known = await _answers(connection, copies)
        turned_away = [
            *returned,
            *(Returned(one.request, one.verdict) for one in others if _is_returned(one)),
        ]
        await outbox.put(connection, messages([*ended, *known], turned_away, now=now))
        written_from = await _texts_of(courier, connection, claims, texts)
    _count(judgement, returned, ended)
    if not claims or judgement is None:
        return None
    return Claimed(claim_id, claims, judgement.lease_until, written_from)


async def _judge(
    courier: Courier,
    connection: Connection,
    requests: Sequence[DispatchRequested],
    *,
    claim_id: UUID,
    now: datetime,
    texts_as_of: int,
) -> Judgement | None:
    if not requests:
        return None
    return await delivery_claims.claim_requests(
        connection,
        requests,
        now=now,
        claim_id=claim_id,
        lease_s=courier.lease_s,
        provider=courier.provider.traits.name,
        texts_as_of=texts_as_of,
    )


async def _written_claims(
    courier: Courier, connection: Connection, claims: Sequence[Claim]
) -> list[Claim]:
    """Return ``claims``, repeats of what a provider may have as they were written."""
    if not any(claim.attempts for claim in claims):
        return list(claims)
    return await delivery_claims.as_first_written(
        connection,
        claims,
        provider=courier.provider.traits.name,
        repeatable_s=courier.repeatable_s,
    )


def _is_left_alone(courier: Courier, claim: Claim) -> bool:
    """Tell whether sending might make it two mails, and the kind's promise forbids that."""
    promise = courier.kinds[claim.request.kind].promise
    return claim.is_keyless and promise != "at_least_once"


async def _end_keyless(
    courier: Courier, connection: Connection, keyless: Sequence[Claim], *, now: datetime
) -> list[DeliveryEvent]:
    """Record that nobody can tell, as of the attempt before: an operator decides.

    The repeat was decided while the key lived, and came too late: the planner was away meanwhile.
    """
    ended = [_key_expired(courier, claim.request, now) for claim in keyless]
    await delivery_outcomes.record_outcomes(connection, ended, now=now)
    return ended


async def _texts_of(
    courier: Courier, connection: Connection, claims: Iterable[Claim], texts: Texts
) -> dict[int, Texts]:
    """Return ``texts`` and the former ones that repeats are written from."""
    former = {claim.writing.texts_as_of for claim in claims} - {texts.as_of}
    return {texts.as_of: texts} | {
        as_of: await read_texts(connection, courier.greetings, as_of=as_of) for as_of in former
    }


async def _end_unsent(
    courier: Courier, connection: Connection, judged: Sequence[Judged], *, now: datetime
) -> list[DeliveryEvent]:
    """Record the outcome of attempts that end here, without a mail."""
    ended = [
        _suppressed(one.request, one.verdict, now)
        for one in judged
        if one.verdict in SUPPRESSED_REASONS - _HELD
    ]
    ended += await _end_held(courier, connection, judged, now=now)
    if ended:
        await delivery_outcomes.record_outcomes(connection, ended, now=now)
    return ended


async def _end_held(
    courier: Courier, connection: Connection, judged: Sequence[Judged], *, now: datetime
) -> list[DeliveryEvent]:
    """End attempts whose period another one holds, or took in the same moment.

    Only a mail that was taken for another day is a reason to suppress. While the holder is in
    flight, or nobody knows what became of it, it may yet let go, and where it has, nobody was
    greeted. Suppressing those could lose the greeting, so they are deferred.
    """
    held = [one for one in judged if one.verdict in _HELD]
    if not held:
        return []
    spent = await delivery_claims.list_spent(connection, [one.request for one in held])
    return [
        _suppressed(one.request, "already_greeted", now)
        if is_spent
        else _deferred(one.request, courier.retry_at(now, attempts=one.attempts), now)
        for one, is_spent in zip(held, spent, strict=True)
    ]


async def _answers(
    connection: Connection, copies: Sequence[DispatchRequested]
) -> list[DeliveryEvent]:
    return await delivery_outcomes.list_latest_outcomes(connection, copies) if copies else []


def _is_returned(one: Judged) -> bool:
    return one.verdict in RETURNED_REASONS


def _key(request: DispatchRequested) -> tuple[object, ...]:
    return request.local_day, request.person_id, request.kind, request.release


def _suppressed(request: DispatchRequested, reason: str, now: datetime) -> DeliveryEvent:
    return DeliveryEvent(
        local_day=request.local_day,
        person_id=request.person_id,
        kind=request.kind,
        release=request.release,
        step=OUTCOME,
        type="suppressed",
        reason=reason,
        period=request.period,
        recorded_at=now,
    )


def _key_expired(courier: Courier, request: DispatchRequested, now: datetime) -> DeliveryEvent:
    return DeliveryEvent(
        local_day=request.local_day,
        person_id=request.person_id,
        kind=request.kind,
        release=request.release,
        step=OUTCOME,
        type="unknown",
        reason="key_expired",
        period=request.period,
        provider=courier.provider.traits.name,
        recorded_at=now,
    )


def _deferred(request: DispatchRequested, retry_at: datetime, now: datetime) -> DeliveryEvent:
    return DeliveryEvent(
        local_day=request.local_day,
        person_id=request.person_id,
        kind=request.kind,
        release=request.release,
        step=OUTCOME,
        type="deferred",
        reason="in_flight",
        period=request.period,
        retry_at=retry_at,
        recorded_at=now,
    )


def _count(
    judgement: Judgement | None, returned: Sequence[Returned], ended: Iterable[DeliveryEvent]
) -> None:
    verdicts: Counter[str] = Counter()
    if judgement:
        verdicts.update(one.verdict for one in judgement.others)
        verdicts["claim"] += len(judgement.claims)
    verdicts.update(one.reason for one in returned)
    for verdict, requests in (+verdicts).items():
        REQUESTS_JUDGED.add(requests, verdict=verdict)
    for outcome, events in Counter([event.type for event in ended]).items():
        OUTCOMES_RECORDED.add(events, outcome=outcome)
