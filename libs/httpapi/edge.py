"""What all processes of a service share about their callers."""

from typing import Final

import msgspec

from libs.httpapi.admission import Limits, parse_networks
from libs.httpapi.answers.remembering import Answers
from libs.httpapi.auth import Tokens
from libs.httpapi.rates import Rate, RateLimiter
from libs.postgres.types import Pool

UNKNOWN_SHARE: Final = 10
"""Who shows no valid key gets this part of the rate of those who do."""


class Edge(msgspec.Struct, frozen=True):
    """Rate limits, trusted tokens, remembered answers; what is None is not there."""

    limits: Limits | None = None
    tokens: Tokens | None = None
    answers: Answers | None = None


NO_EDGE: Final = Edge()


class EdgeSettings(msgspec.Struct, frozen=True):
    """The settings every service with an API has, under its own ``prefix``."""

    prefix: str
    rate_per_s: float
    rate_burst: int
    trusted_proxies: str
    jwt_issuer: str
    jwt_audience: str
    jwt_jwks: str


def open_edge(pool: Pool, settings: EdgeSettings, *, are_answers_kept: bool) -> Edge:
    """Return what the processes on the database of ``pool`` share.

    ``are_answers_kept`` is for services that have no way of their own to answer again.

    Raises:
        StartupError: a setting cannot be used.
    """
    rate = Rate(settings.rate_per_s, settings.rate_burst)
    stranger = Rate(rate.per_s / UNKNOWN_SHARE, max(1, rate.burst // UNKNOWN_SHARE))
    proxies = parse_networks(
        settings.trusted_proxies, variable=f"{settings.prefix}_TRUSTED_PROXIES"
    )
    limits = Limits(
        RateLimiter(rate, pool), RateLimiter(stranger, pool, kind="peer"), trusted_proxies=proxies
    )
    return Edge(limits, _tokens(settings), Answers(pool) if are_answers_kept else None)


def _tokens(settings: EdgeSettings) -> Tokens | None:
    if not (settings.jwt_issuer or settings.jwt_audience or settings.jwt_jwks):
        return None
    # Only who trusts an issuer holds the 14 MiB of cryptography and of an HTTP client.
    from libs.httpapi.tokens import open_tokens  # noqa: PLC0415

    return open_tokens(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        jwks=settings.jwt_jwks,
        prefix=settings.prefix,
    )
