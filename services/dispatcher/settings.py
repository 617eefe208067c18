"""Every knob of the dispatcher."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from libs.settings import AmqpUrl, NotNegative, Port, Positive, PostgresUrl
from services.dispatcher.domain.delivery import CALL_RESERVE_S

PROVIDER_URLS = {
    "smtp": ("smtp://", "smtps://"),
    "vendor": ("http://", "https://"),
    "postmark": ("http://", "https://"),
}
"""How the address of each provider begins; a file's is any path."""

LINK_PATTERN = r"https?://[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]{1,300}"
DNS_PATTERN = r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*"
SHORTEST_KEY = 32


class DispatcherSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Read from ``DISPATCHER_*`` variables, and from ``JUBILEE_ENV`` and ``JUBILEE_CLOCK``."""

    database_url: Annotated[str, PostgresUrl]  # PostgreSQL database of this service
    broker_url: Annotated[str, AmqpUrl]  # RabbitMQ virtual host of the whole system
    http_host: str = "127.0.0.1"  # address to listen on
    http_port: Annotated[int, Port] = 8082  # 0 takes any free port
    api_keys_file: str | None = None  # JSON file of hashed API keys
    user_url: str | None = None  # user service whose events a rebuild reads
    user_api_key: str | None = None  # a key of it with the scope events:read
    rate_per_s: Annotated[float, Positive] = 2000.0  # requests of a caller, all processes together
    rate_burst: Annotated[int, Positive] = 4000  # of them at once, after a silence
    trusted_proxies: str = ""  # networks whose X-Forwarded-For counts, by commas
    jwt_issuer: str = ""  # whose tokens are taken beside API keys
    jwt_audience: str = ""  # what those tokens must be made for
    jwt_jwks: str = ""  # the issuer's public keys: a file or an http[s] address
    provider: Literal["smtp", "vendor", "postmark", "file"] = "smtp"  # how mail goes out
    provider_url: str | None = None  # smtp[s]://…?connections=8&lookup=…, http[s]://…, or a path
    provider_token: str = ""  # Postmark's server token
    provider_connections: Annotated[int, Positive] = 32  # requests under way, vendor and postmark
    provider_timeout_s: Annotated[float, Positive] = 30.0  # longest single call to the provider
    provider_rate: Annotated[float, NotNegative] = 0.0  # mails a second by all dispatchers; 0 any
    provider_burst: Annotated[int, NotNegative] = 0  # of them in one moment; 0 a second's worth
    provider_keys_live_s: Annotated[float, NotNegative] = 0.0  # vendor's idempotency keys; 0 none
    lookup_delay_s: Annotated[float, NotNegative] = 5.0  # until a look-up shows what was taken
    sender_address: str = "greetings@jubilee.example"  # From, and the domain of every Message-ID
    sender_name: str = "Jubilee"  # name beside it
    dkim_domain: str | None = None  # signs mail sent by SMTP; the sender's domain or one above it
    dkim_selector: str | None = None  # where its public key is published: <selector>._domainkey
    dkim_key_file: str | None = None  # its private key in PEM: RSA of 2048 bits and up, or Ed25519
    unsubscribe_url: str | None = None  # https://…/unsubscribe, as the world reaches this service
    unsubscribe_keys: str = ""  # secrets of such links, by commas; the first makes new ones
    reports_secret: str | None = None  # providers sign POST /v1/provider-reports with it
    reports_mailbox: str | None = None  # Maildir or mbox to which bounces and complaints come
    reports_pause_s: Annotated[float, Positive] = 10.0  # wait between looks into that mailbox
    texts_pause_s: Annotated[float, Positive] = 1.0  # wait between looks for newly published texts
    lease_s: Annotated[float, Positive] = 90.0  # how long a claim is one process's own, real time
    prefetch: Annotated[int, Positive] = 4  # batches in hand at a time
    gate_wait_s: Annotated[float, Positive] = 600.0  # wait for a provider out of reach, then return
    breaker_failures: Annotated[int, Positive] = 5  # calls in a row without a definite answer
    breaker_pause_s: Annotated[float, Positive] = 30.0  # until a probe after that
    settle_every_s: Annotated[float, Positive] = 2.0  # wait between looks for lost outcomes
    relay_pause_s: Annotated[float, Positive] = 0.05  # wait before looking for new outbox rows
    relay_batch_rows: Annotated[int, Positive] = 500  # outbox rows published at a time
    upkeep_pause_s: Annotated[float, Positive] = 10.0  # wait between rounds of upkeep
    outbox_age_max_s: Annotated[float, Positive] = 60.0  # unready when a row waits longer
    retention_days: Annotated[int, Positive] = 30  # days the event feed reaches back, at least
    pool_size: Annotated[int, Positive] = 8  # database connections of one process
    drain_timeout_s: Annotated[float, Positive] = 45.0  # what is under way is cut off after this
    jubilee_env: Literal["development", "test", "production"] = "development"  # where this runs
    jubilee_clock: str | None = None  # virtual time: <start>;rate=<n>;since=<unix seconds>

    def __post_init__(self) -> None:
        """Refuse a lease that a call could outlive, and a provider that its address contradicts."""
        mistakes = list(self._mistakes())
        if mistakes:
            raise ValueError("\n  * ".join(mistakes))

    def _mistakes(self) -> Iterator[str]:
        yield from self._mistakes_of_mails()
        if self.lease_s <= self.provider_timeout_s + CALL_RESERVE_S:
            yield (
                "DISPATCHER_LEASE_S must be more than DISPATCHER_PROVIDER_TIMEOUT_S"
                f" + {CALL_RESERVE_S:g}: a call must end within its lease"
            )
        beginnings = PROVIDER_URLS.get(self.provider, ("",))
        if self.provider_url is not None and not self.provider_url.startswith(beginnings):
            yield (
                f"DISPATCHER_PROVIDER_URL does not fit DISPATCHER_PROVIDER={self.provider}:"
                f" it must begin with {' or '.join(beginnings)}"
            )
        is_production = self.jubilee_env == "production"
        if is_production and self.provider == "postmark" and not self.provider_token:
            yield "DISPATCHER_PROVIDER_TOKEN is not set: postmark takes no mail without it"

    def _mistakes_of_mails(self) -> Iterator[str]:
        dkim = (self.dkim_domain, self.dkim_selector, self.dkim_key_file)
        if any(dkim) and not all(dkim):
            yield "DISPATCHER_DKIM_DOMAIN, _SELECTOR and _KEY_FILE belong together: set all or none"
        if not all(re.fullmatch(DNS_PATTERN, name) for name in dkim[:2] if name):
            yield "DISPATCHER_DKIM_DOMAIN and _SELECTOR must be names as DNS has them"
        if self.unsubscribe_url is None:
            return
        is_production = self.jubilee_env == "production"
        beginnings = ("https://",) if is_production else ("https://", "http://")
        if not (
            self.unsubscribe_url.startswith(beginnings)
            and re.fullmatch(LINK_PATTERN, self.unsubscribe_url)
        ):
            yield (
                "DISPATCHER_UNSUBSCRIBE_URL must begin with https:// and be a plain address"
                " without ? and #"
            )
        if any(len(key) < SHORTEST_KEY for key in unsubscribe_keys(self.unsubscribe_keys)):
            yield (
                "DISPATCHER_UNSUBSCRIBE_KEYS must hold at least one secret, each of at least"
                f" {SHORTEST_KEY} characters: else anybody could end anybody's mail"
            )


def unsubscribe_keys(text: str) -> list[str]:
    """Return the secrets in the value of ``DISPATCHER_UNSUBSCRIBE_KEYS``; never an empty list."""
    return [key.strip() for key in text.split(",")]
