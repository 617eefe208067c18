from typing import Any

import pytest
from litestar import Request

from libs.httpapi.idempotency import fingerprint, idempotency_key
from libs.httpapi.problems import Problem


def request(key: bytes | None) -> Request[Any, Any, Any]:
    headers = [] if key is None else [(b"idempotency-key", key)]
    scope: Any = {"type": "http", "headers": headers, "state": {}}
    return Request(scope)


@pytest.mark.parametrize("key", [None, b"a", b"x" * 255])
def test_a_key_is_optional_and_visible_ascii(key: bytes | None) -> None:
    assert idempotency_key(request(key)) == (None if key is None else key.decode())


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"a b", b"\xe9"])
def test_another_key_is_refused(key: bytes) -> None:
    with pytest.raises(Problem, match="400 bad_idempotency_key"):
        idempotency_key(request(key))


def test_the_same_request_has_the_same_fingerprint() -> None:
    assert fingerprint("POST", "/v1/users", b"{}") == fingerprint("POST", "/v1/users", b"{}")
    assert fingerprint("POST", "/v1/users", b"{}") != fingerprint("PUT", "/v1/users", b"{}")
