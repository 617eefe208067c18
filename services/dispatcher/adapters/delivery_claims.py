"""Claims: the judgement of requests, and what a claim was written from."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

import asyncpg
import msgspec
from msgspec.structs import replace

from contracts.dispatch import DispatchRequested
from libs.ids import occurrence_key
from libs.postgres.types import Connection, Record
from services.dispatcher.adapters.delivery_cases import OpposedError, cases
from services.dispatcher.adapters.refusals import refusing_bad_values
from services.dispatcher.adapters.sql import SQL
from services.dispatcher.domain.delivery import SUPPRESSED_REASONS, Claim, Recipient, Writing

_case = attrgetter("local_day", "kind", "period", "due_at", "expires_at")
_INSERTED = SUPPRESSED_REASONS | {"claim"}


class Judged(msgspec.Struct, frozen=True):
    """Why a request is not ours to send.

    ``held`` means that another attempt took the period in the same moment.
    """

    request: DispatchRequested
    verdict: str
    attempts: int


class Judgement(msgspec.Struct, frozen=True):
    """What the claim said of a batch: what is ours, and the others. The lease ends by the
    database's clock.
    """

    claims: list[Claim]
    others: list[Judged]
    lease_until: datetime


async def claim_unopposed(
    connection: Connection,
    requests: Sequence[DispatchRequested],
    *,
    now: datetime,
    claim_id: UUID,
    lease_s: float,
    provider: str,
    texts_as_of: int,
) -> Judgement:
    """Claim all of ``requests``, or nothing: what most batches need, for half of the cost.

    ``requests`` is not empty, names no attempt twice, and all are the first of their occurrence.

    Raises:
        OpposedError: not all can be sent, or not all can be stored; the transaction must end.
    """
    places, shared = cases(map(_case, requests))
    try:
        rows = await connection.fetch(
            SQL.claim_unopposed,
            now,
            claim_id,
            lease_s,
            provider,
            texts_as_of,
            [request.person_id for request in requests],
            [request.person_version for request in requests],
            [request.years for request in requests],
            places,
            *shared,
        )
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise OpposedError from error
    if len(rows) < len(requests):
        raise OpposedError
    writing = Writing(now, texts_as_of)
    claims = [
        Claim(request, Recipient(row[0], row[1], row[2], row[3]), 0, writing)
        for request, row in zip(requests, rows, strict=True)
    ]
    return Judgement(claims, [], rows[0]["lease_until"])


async def claim_requests(
    connection: Connection,
    requests: Sequence[DispatchRequested],
    *,
    now: datetime,
    claim_id: UUID,
    lease_s: float,
    provider: str,
    texts_as_of: int,
) -> Judgement:
    """Claim what may be sent; ``requests`` is not empty and names no attempt twice.

    Raises:
        RefusedValuesError: a request cannot be stored.
    """
    days = [request.local_day for request in requests]
    with refusing_bad_values():
        rows = await connection.fetch(
            SQL.claim_requests,
            days,
            [request.person_id for request in requests],
            [request.kind for request in requests],
            [request.release for request in requests],
            [request.period for request in requests],
            [request.due_at for request in requests],
            [request.expires_at for request in requests],
            [request.person_version for request in requests],
            now,
            claim_id,
            lease_s,
            provider,
            min(days),
            max(days),
            [request.years for request in requests],
            texts_as_of,
        )
    first = rows[0]
    won, taken = _as_set(first["won_keys"]), _as_set(first["taken_keys"])
    writing = Writing(now, texts_as_of)
    judged = [
        _judged(request, row, won, taken, writing)
        for request, row in zip(requests, rows, strict=True)
    ]
    return Judgement(
        [one for one in judged if isinstance(one, Claim)],
        [one for one in judged if isinstance(one, Judged)],
        first["lease_until"],
    )


async def list_spent(connection: Connection, requests: Sequence[DispatchRequested]) -> list[bool]:
    """Tell of each request whether the mail of its period was taken for another day."""
    rows = await connection.fetch(
        SQL.list_spent,
        [request.period for request in requests],
        [request.person_id for request in requests],
        [request.kind for request in requests],
        [request.local_day for request in requests],
    )
    spent = {row["place"] for row in rows}
    return [place in spent for place in range(1, len(requests) + 1)]


async def as_first_written(
    connection: Connection, claims: Sequence[Claim], *, provider: str, repeatable_s: float
) -> list[Claim]:
    """Return ``claims``, each that repeats a mail a provider may have as that mail was written.

    One that relies on its first key is told as keyless where ``provider`` may not know that key:
    another took the mail, or ``repeatable_s`` have passed after the first lease.
    """
    rows = await connection.fetch(
        SQL.list_first_writings,
        [claim.request.local_day for claim in claims],
        [claim.request.person_id for claim in claims],
        [claim.request.kind for claim in claims],
        provider,
        repeatable_s,
    )
    first = {row["place"] - 1: row for row in rows}
    return [
        _rewritten(claim, first[place]) if place in first else claim
        for place, claim in enumerate(claims)
    ]


async def read_lease_left_s(connection: Connection, lease_until: datetime) -> float:
    """Return the real seconds a lease has left, by the database's clock."""
    left_s: float = await connection.fetchval(SQL.read_lease_left, lease_until)
    return left_s


def _rewritten(claim: Claim, row: Record) -> Claim:
    recipient = claim.recipient
    if row["email"] is not None:
        recipient = Recipient(row["email"], row["first_name"], row["last_name"], row["locale"])
    return replace(
        claim,
        request=replace(claim.request, years=row["years"]),
        recipient=recipient,
        writing=Writing(row["recorded_at"], row["texts_as_of"]),
        is_keyless=row["is_keyless"],
    )


def _as_set(keys: list[str] | None) -> frozenset[str] | None:
    return None if keys is None else frozenset(keys)


def _judged(
    request: DispatchRequested,
    row: Record,
    won: frozenset[str] | None,
    taken: frozenset[str] | None,
    writing: Writing,
) -> Claim | Judged:
    """Return the claim or the verdict, corrected where a copy was faster.

    None of a set means all are in it.
    """
    verdict, attempts = row["verdict"], row["attempts"]
    if verdict in _INSERTED and (won is not None or taken is not None):
        occurrence = occurrence_key(request.local_day, request.person_id, request.kind)
        key = f"{occurrence}/{request.release}"
        if won is not None and key not in won:
            verdict = "copy"
        elif verdict == "claim" and taken is not None and key not in taken:
            verdict = "held"
    if verdict != "claim":
        return Judged(request, verdict, attempts)
    recipient = Recipient(row["email"], row["first_name"], row["last_name"], row["locale"])
    return Claim(request, recipient, attempts, writing)
