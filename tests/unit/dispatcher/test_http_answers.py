"""What is an answer of an HTTP server, however its bytes come, and what is not; and its URL."""

import pytest

from services.dispatcher.adapters.providers.http_connections import HttpUrlError, read_http_url
from services.dispatcher.adapters.providers.http_wire import (
    LONGEST_ANSWER_BYTES,
    Answer,
    AnswerReader,
    UnreadableAnswerError,
)

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nDate: x\r\n\r\nok"
LENGTH_2, IN_CHUNKS = {"content-length": "2"}, {"transfer-encoding": "chunked"}


def read(data: bytes) -> Answer | None:
    return AnswerReader().feed(data)


def read_piecewise(data: bytes) -> None:
    reader = AnswerReader()
    for start in range(0, len(data), 65_536):
        assert reader.feed(data[start : start + 65_536]) is None


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(PLAIN, Answer(200, LENGTH_2, b"ok"), id="of a length"),
        pytest.param(CHUNKED + b"\r\n", Answer(200, IN_CHUNKS, b"ok"), id="in chunks"),
        pytest.param(
            CHUNKED + b"Retry-After: 9\r\n\r\n", Answer(200, IN_CHUNKS, b"ok"), id="with a trailer"
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: y\r\n\r\n" + PLAIN,
            Answer(200, LENGTH_2, b"ok"),
            id="after interim answers",
        ),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Answer(200, LENGTH_2, b"ok"),
            id="HTTP/1.0",
        ),
        pytest.param(b"HTTP/1.1 204 X\r\n\r\n", Answer(204, {}, b""), id="without a body"),
        pytest.param(
            PLAIN.replace(b"OK", b"OK\r\nUpgrade: h2\r\nConnection: Upgrade, Keep-Alive"),
            Answer(200, {"upgrade": "h2", "connection": "Upgrade, Keep-Alive"} | LENGTH_2, b"ok"),
            id="offering HTTP/2",
        ),
        pytest.param(
            b"HTTP/1.1 429 X\r\nRETRY-AFTER: 1\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n",
            Answer(429, {"retry-after": "1", "content-length": "0"}, b""),
            id="first of equal headers",
        ),
    ],
)
def test_answer_is_the_same_wherever_the_stream_is_cut(data: bytes, answer: Answer) -> None:
    assert read(data) == answer
    for place in range(1, len(data)):
        reader = AnswerReader()
        assert [reader.feed(data[:place]), reader.feed(data[place:])] == [None, answer]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_answer_without_a_length_lasts_until_the_server_hangs_up(version: bytes) -> None:
    reader = AnswerReader()
    assert reader.feed(ENDLESS.replace(b"1.1", version)) is None
    assert reader.end() == Answer(200, {"date": "x"}, b"ok")


@pytest.mark.parametrize("data", [PLAIN, CHUNKED + b"\r\n"], ids=["of a length", "in chunks"])
def test_half_an_answer_is_none(data: bytes) -> None:
    for place in range(len(data)):
        reader = AnswerReader()
        assert (reader.feed(data[:place]), reader.end()) == (None, None)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"220 mail.example ESMTP\r\n", id="not HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01", id="TLS"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", id="no length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="two lengths",
        ),
        pytest.param(
            b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n\0", id="not HTTP/1"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * LONGEST_ANSWER_BYTES, id="endless head"),
        pytest.param(ENDLESS + b"x" * LONGEST_ANSWER_BYTES, id="endless body"),
        pytest.param(b"HTTP/1.1 100 X\r\n\r\n" * 65_536, id="endlessly interim"),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableAnswerError):
        read_piecewise(data)


def test_every_answer_may_be_as_long_as_the_first() -> None:
    reader = AnswerReader()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n"
    for _ in range(3):
        answer = reader.feed(head + b"x" * 700_000)
        assert answer is not None
        assert reader.keeps_alive


@pytest.mark.parametrize(
    "more",
    [PLAIN, PLAIN[:9], b"\r\n\r\nwhat else", b"HTTP/1.1 408 X\r\n"],
    ids=["another answer", "half of one", "garbage", "the beginning of one"],
)
def test_what_follows_unasked_ends_the_use_of_the_connection(more: bytes) -> None:
    reader = AnswerReader()
    assert reader.feed(PLAIN + more) == Answer(200, LENGTH_2, b"ok")
    assert not reader.keeps_alive


@pytest.mark.parametrize(
    ("data", "keeps_alive"),
    [
        (PLAIN, True),
        (PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False),
        (PLAIN.replace(b"1.1", b"1.0"), False),
        (PLAIN.replace(b"1.1", b"1.0").replace(b"OK", b"OK\r\nConnection: keep-alive"), True),
    ],
)
def test_server_says_whether_it_keeps_the_connection(data: bytes, keeps_alive: bool) -> None:
    reader = AnswerReader()
    assert reader.feed(data) is not None
    assert reader.keeps_alive is keeps_alive


@pytest.mark.parametrize(
    ("url", "place", "head"),
    [
        ("http://api.example", ("api.example", 80, False), "POST /x HTTP/1.1\r\nHost: api.example"),
        (
            "https://api.example:8443/v1/",
            ("api.example", 8443, True),
            "POST /v1/x HTTP/1.1\r\nHost: api.example:8443",
        ),
        ("https://api.example:443", ("api.example", 443, True), "Host: api.example\r\n"),
        ("http://[::1]:8025/", ("::1", 8025, False), "Host: [::1]:8025\r\n"),
        ("https://bücher.example", ("xn--bcher-kva.example", 443, True), "Host: xn--bcher-kva."),
        ("http://me:p%40ss@x", ("x", 80, False), "Authorization: Basic bWU6cEBzcw==\r\n"),
    ],
)
def test_url_says_where_requests_go(url: str, place: tuple[object, ...], head: str) -> None:
    target = read_http_url(url)
    assert (target.host, target.port, target.is_tls) == place
    assert head in target.head("POST", "/x", {"Accept": "*/*"}).decode()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "http://",
        "http://x:99999",
        "http://[::1",
        "http://x/?a=b",
        "http://x/#a",
        "http://x/a b",
        "http://x/ü",
        f"http://{'x' * 64}.example",
    ],
)
def test_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(HttpUrlError):
        read_http_url(url)
