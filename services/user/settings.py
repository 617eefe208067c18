"""Every knob of the user service."""

from typing import Annotated, Literal

import msgspec

from libs.settings import AmqpUrl, Port, Positive, PostgresUrl


class UserSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Read from ``USER_*`` variables, and from ``JUBILEE_ENV`` and ``JUBILEE_CLOCK``."""

    database_url: Annotated[str, PostgresUrl]  # PostgreSQL database of this service
    broker_url: Annotated[str, AmqpUrl]  # RabbitMQ virtual host of the whole system
    replica_database_url: Annotated[str, PostgresUrl] | None = None  # its replica, for reads
    replica_max_lag_s: Annotated[float, Positive] = 1.0  # it is not asked while it may lag more
    http_host: str = "127.0.0.1"  # address to listen on
    http_port: Annotated[int, Port] = 8080  # 0 takes any free port
    api_keys_file: str | None = None  # JSON file of hashed API keys
    rate_per_s: Annotated[float, Positive] = 2000.0  # requests of a caller, all processes together
    rate_burst: Annotated[int, Positive] = 4000  # of them at once, after a silence
    trusted_proxies: str = ""  # networks whose X-Forwarded-For counts, by commas
    jwt_issuer: str = ""  # whose tokens are taken beside API keys
    jwt_audience: str = ""  # what those tokens must be made for
    jwt_jwks: str = ""  # the issuer's public keys: a file or an http[s] address
    planner_url: str = ""  # begins links to the planner, where it is not behind our own address
    master_key_file: str | None = None  # 32 bytes in base64 that wrap the keys of people
    pool_size: Annotated[int, Positive] = 8  # database connections of one process
    retention_days: Annotated[int, Positive] = 30  # from deletion to erasure; can be undone
    idempotency_days: Annotated[int, Positive] = 7  # how long an Idempotency-Key is remembered
    import_batch_lines: Annotated[int, Positive] = 1000  # lines registered by one statement
    relay_batch_rows: Annotated[int, Positive] = 500  # outbox rows published at a time
    relay_pause_s: Annotated[float, Positive] = 0.05  # wait before looking for new outbox rows
    upkeep_pause_s: Annotated[float, Positive] = 5.0  # wait between rounds of upkeep
    outbox_age_max_s: Annotated[float, Positive] = 60.0  # unready when a row waits longer
    outbox_kept_s: Annotated[float, Positive] = 3600.0  # published rows go at about this age
    drain_timeout_s: Annotated[float, Positive] = 30.0  # what is under way is cut off after this
    jubilee_env: Literal["development", "test", "production"] = "development"  # where this runs
    jubilee_clock: str | None = None  # virtual time: <start>;rate=<n>;since=<unix seconds>
