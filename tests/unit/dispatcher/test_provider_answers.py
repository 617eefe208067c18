"""What a provider's answer, its silence or its URL means."""

import aiohttp
import pytest

from services.dispatcher.adapters.providers.limits import pause_s, slow_down_s
from services.dispatcher.adapters.providers.reasons import result_of_failure, result_of_status
from services.dispatcher.adapters.providers.smtp_url import SmtpUrlError, read_smtp_url
from services.dispatcher.domain.delivery import (
    Accepted,
    Deferred,
    Refused,
    Result,
    Unknown,
    is_trouble,
    longest_pause_s,
)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (302, Deferred("misconfigured", 302)),
        (401, Deferred("unauthorised", 401)),
        pytest.param(404, Refused("request_refused", 404), id="EC-API-012"),
        (422, Refused("request_refused", 422)),
        pytest.param(429, Deferred("rate_limited", 429), id="EC-API-006"),
        (500, Unknown("unclear_answer", 500)),
        (502, Unknown("unclear_answer", 502)),
        pytest.param(503, Deferred("server_error", 503), id="EC-API-011"),
        (504, Unknown("unclear_answer", 504)),
        (204, Unknown("unclear_answer", 204)),
    ],
)
def test_status_says_whether_the_mail_may_have_been_taken(status: int, result: Result) -> None:
    assert result_of_status(status, None) == result


def test_500_is_certain_where_the_provider_says_so() -> None:
    result = result_of_status(500, None, is_500_definite=True)
    assert result == Deferred("server_error", 500)


NOON = "Sun, 14 Jun 2026 12:00:00 GMT"
NOON_S = 1_781_438_400


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "999999"}, 3600.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sun, 14 Jun 2026 12:00:30 GMT", "date": NOON}, 30.0),
        ({"retry-after": "Sunday, 14-Jun-26 12:00:30 GMT", "date": NOON}, 30.0),
        ({"retry-after": "Sun, 14 Jun 2026 12:00:30 GMT"}, None),
        pytest.param(
            {"retry-after": "Sun, 14 Jun 2026 11:00:00 GMT", "date": NOON},
            0.0,
            id="EC-API-009 date in the past",
        ),
        pytest.param(
            {"x-ratelimit-reset": str(NOON_S - 60), "date": NOON},
            0.0,
            id="EC-API-009 reset in the past",
        ),
        ({"x-ratelimit-reset": str(NOON_S + 60), "date": NOON}, 60.0),
        ({"x-ratelimit-reset": str(NOON_S + 60)}, None),
        ({"ratelimit-reset": "7"}, 7.0),
        ({"ratelimit": '"default";r=0;t=9'}, 9.0),
        ({"ratelimit": "limit=100, remaining=0, reset=9"}, 9.0),
        ({}, None),
    ],
)
def test_pause_is_as_long_as_a_refusal_asks_and_bounded(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert pause_s(headers) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "5"}, 5.0),
        ({"ratelimit": '"day";r=0;w=60;t=5'}, 5.0),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "5"}, None),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "none", "x-ratelimit-reset": "5"}, None),
    ],
)
@pytest.mark.edge_case("EC-API-007")
def test_last_request_of_a_limit_slows_down_before_one_is_refused(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert slow_down_s(headers) == seconds


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (aiohttp.ConnectionTimeoutError(), Deferred("unreachable")),
        (aiohttp.ServerTimeoutError(), Unknown("timed_out")),
        (TimeoutError(), Unknown("timed_out")),
        (aiohttp.ServerDisconnectedError(), Unknown("connection_lost")),
        (aiohttp.ClientOSError(), Unknown("connection_lost")),
        (ConnectionResetError(), Unknown("connection_lost")),
        (aiohttp.ClientPayloadError(), Unknown("connection_lost")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_broken_call_is_certain_only_before_the_connection_stands(
    error: aiohttp.ClientError, result: Result
) -> None:
    assert result_of_failure(error) == result


@pytest.mark.parametrize(
    ("results", "trouble"),
    [
        ([], False),
        ([Deferred("unreachable"), Unknown("timed_out")], True),
        ([Deferred("unreachable"), Accepted("x")], False),
        ([Deferred("unreachable"), Refused("x")], False),
        ([Deferred("rate_limited")], False),
        ([Deferred("lease_short")], False),
    ],
)
def test_trouble_is_a_call_without_any_definite_answer(
    results: list[Result], trouble: bool
) -> None:
    assert is_trouble(results) is trouble


def test_longest_pause_of_a_batch_counts() -> None:
    results: list[Result] = [
        Deferred("a", 429, 2.0),
        Accepted("x"),
        Deferred("b", 429, 5.0),
        Deferred("c"),
    ]
    assert longest_pause_s(results) == 5.0


def test_smtp_url_says_everything() -> None:
    server = read_smtp_url(
        "smtps://me%40x:p%2Fw@mail.example:2465?connections=3&lookup=http://inbox/api"
    )
    assert (server.host, server.port, server.is_tls) == ("mail.example", 2465, True)
    assert (server.username, server.password) == ("me@x", "p/w")
    assert (server.connections, server.lookup) == (3, "http://inbox/api")


@pytest.mark.parametrize(
    ("url", "start_tls"),
    [
        ("smtp://mail.example", "auto"),
        ("smtp://me:pw@mail.example", "required"),
        ("smtp://me:pw@mail.example?starttls=never", "never"),
    ],
)
def test_credentials_never_travel_openly_unless_asked(url: str, start_tls: str) -> None:
    assert read_smtp_url(url).start_tls == start_tls


@pytest.mark.parametrize(
    "url",
    [
        "http://x",
        "smtp://",
        "smtp://x?connections=0",
        "smtp://x?conections=1",
        "smtp://x?starttls=1",
    ],
)
def test_wrong_smtp_url_is_refused(url: str) -> None:
    with pytest.raises(SmtpUrlError):
        read_smtp_url(url)
