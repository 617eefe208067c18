"""Every knob of the planner."""

from typing import Annotated, Literal

import msgspec

from libs.settings import AmqpUrl, Port, Positive, PostgresUrl

AtLeast3 = msgspec.Meta(ge=3)


class PlannerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Read from ``PLANNER_*`` variables, and from ``JUBILEE_ENV`` and ``JUBILEE_CLOCK``."""

    database_url: Annotated[str, PostgresUrl]  # PostgreSQL database of this service
    broker_url: Annotated[str, AmqpUrl]  # RabbitMQ virtual host of the whole system
    http_host: str = "127.0.0.1"  # address to listen on
    http_port: Annotated[int, Port] = 8081  # 0 takes any free port
    api_keys_file: str | None = None  # JSON file of hashed API keys
    rate_per_s: Annotated[float, Positive] = 2000.0  # requests of a caller, all processes together
    rate_burst: Annotated[int, Positive] = 4000  # of them at once, after a silence
    trusted_proxies: str = ""  # networks whose X-Forwarded-For counts, by commas
    jwt_issuer: str = ""  # whose tokens are taken beside API keys
    jwt_audience: str = ""  # what those tokens must be made for
    jwt_jwks: str = ""  # the issuer's public keys: a file or an http[s] address
    user_url: str | None = None  # user service whose events a rebuild reads
    user_api_key: str | None = None  # a key of it with the scope events:read
    zone_releases: str | None = None  # folder of other releases of the zone data, to simulate with
    horizon_days: Annotated[int, AtLeast3] = 4  # days planned ahead of today (UTC)
    slice_size: Annotated[int, Positive] = 5000  # celebrations planned in one transaction
    release_batch_size: Annotated[int, Positive] = 1000  # rows released in one transaction
    release_pause_max_s: Annotated[float, Positive] = 1.0  # longest sleep before looking again
    release_lanes: Annotated[int, Positive] = 2  # batches of one process under way side by side
    in_flight_limit: Annotated[int, Positive] = 20_000  # unanswered releases that stop new ones
    reconcile_after_s: Annotated[float, Positive] = 120.0  # real time until a release is repeated
    reconcile_batch_size: Annotated[int, Positive] = 500  # releases repeated in one transaction
    project_prefetch: Annotated[int, Positive] = 2  # messages about people in hand at a time
    outcomes_prefetch: Annotated[int, Positive] = 4  # messages with answers in hand at a time
    relay_pause_s: Annotated[float, Positive] = 0.05  # wait before looking for new outbox rows
    relay_batch_rows: Annotated[int, Positive] = 500  # outbox rows published at a time
    outbox_upkeep_pause_s: Annotated[float, Positive] = 10.0  # wait between rounds of its upkeep
    outbox_age_max_s: Annotated[float, Positive] = 60.0  # unready when a row waits longer
    retention_days: Annotated[int, Positive] = 400  # days of the plan that are kept
    pool_size: Annotated[int, Positive] = 8  # database connections of one process
    drain_timeout_s: Annotated[float, Positive] = 30.0  # what is under way is cut off after this
    jubilee_env: Literal["development", "test", "production"] = "development"  # where this runs
    jubilee_clock: str | None = None  # virtual time: <start>;rate=<n>;since=<unix seconds>
