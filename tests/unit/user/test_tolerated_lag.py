"""How old an answer may be, by who asks and what they say."""

import math
from typing import Any, cast

import pytest
from litestar import Request

from libs.httpapi.keys import Caller
from services.user.entrypoints.requests import newest_seen, tolerated_lag_s


def a_request(*, scope: str = "users:read", **headers: str) -> Request[Any, Any, Any]:
    """Return a request of a caller who has ``scope``."""
    raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    caller = Caller("tests", frozenset({"users:read", scope}))
    parts = {"type": "http", "method": "GET", "path": "/", "headers": raw, "auth": caller}
    return Request(cast("Any", parts))


@pytest.mark.parametrize(
    ("asked", "reader", "writer"),
    [
        pytest.param("", math.inf, 0, id="nothing said"),
        pytest.param("no-cache", 0, 0, id="now"),
        pytest.param("max-age=0", 0, 0, id="now, otherwise"),
        pytest.param("max-stale", math.inf, math.inf, id="as old as may be"),
        pytest.param("No-Transform, Max-Stale=3", 3, 3, id="three seconds"),
        pytest.param("max-stale=0", 0, 0, id="none"),
        pytest.param("max-stale, no-cache", 0, 0, id="now beats old"),
        pytest.param("max-stale=soon", math.inf, 0, id="what means nothing"),
        pytest.param("max-age=60", math.inf, 0, id="what concerns others"),
    ],
)
def test_cache_control_tells_how_old(asked: str, reader: float, writer: float) -> None:
    headers = {"cache_control": asked} if asked else {}
    assert tolerated_lag_s(a_request(**headers)) == reader
    assert tolerated_lag_s(a_request(scope="users:write", **headers)) == writer


def test_a_bounded_answer_may_lag_whoever_asks() -> None:
    assert tolerated_lag_s(a_request(scope="users:write"), is_bounded=True) == math.inf
    request = a_request(scope="users:write", cache_control="no-cache")
    assert tolerated_lag_s(request, is_bounded=True) == 0


def test_the_newest_version_seen_counts() -> None:
    assert newest_seen(a_request(if_none_match='"3", W/"12", "nonsense", *')) == 12
    assert newest_seen(a_request()) == 0
