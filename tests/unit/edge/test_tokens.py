"""Tokens beside API keys: what an issuer vouches for, and everything that only looks like it."""

import asyncio
import base64
import json
import time
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from libs.clock import monotonic_s
from libs.httpapi import tokens as module
from libs.httpapi.edge import Edge, EdgeSettings, open_edge
from libs.httpapi.tokens import KeySet, SignedTokens, open_tokens
from libs.postgres.types import Pool
from libs.runtime.process import StartupError
from tests.unit.edge.api import BEARER, an_app
from tests.unit.edge.calls import Answer, call

ISSUER, AUDIENCE = "https://issuer.example", "jubilee"
ED, OTHER_ED = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - refused


def jwk(key: Any, kid: str, **members: Any) -> dict[str, Any]:
    public = key.public_key()
    algorithms: dict[type, Any] = {
        ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
    }
    algorithm = algorithms.get(type(key), jwt.algorithms.ECAlgorithm)
    for kind, found in algorithms.items():
        if isinstance(key, kind):
            algorithm = found
    described: dict[str, Any] = json.loads(algorithm.to_jwk(public))
    return described | {"kid": kid} | members


SECRET = {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(b"s" * 32).decode()}
PUBLISHED = [
    jwk(ED, "ed"),
    jwk(P256, "p256"),
    jwk(RSA, "rsa"),
    jwk(P384, "p384"),
    jwk(WEAK, "weak"),
    jwk(OTHER_ED, "for encryption", use="enc"),
    SECRET,
    {"kty": "nonsense", "kid": "?"},
]


def a_token(
    key: Any = ED,
    algorithm: str = "EdDSA",
    kid: str | None = "ed",
    headers: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    now = int(time.time())
    body = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "crm",
        "iat": now,
        "exp": now + 300,
        "scope": "users:read users:write",
    } | claims
    body = {name: value for name, value in body.items() if value is not None}
    head = ({"kid": kid} if kid else {}) | (headers or {})
    return jwt.encode(body, key, algorithm=algorithm, headers=head)


def seconds_ago(seconds: int) -> int:
    return int(time.time()) - seconds


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    """Return the file of the issuer's keys."""
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": PUBLISHED}))
    return path


@pytest.fixture
def app(jwks: Path) -> Any:
    """Return an API that trusts the issuer."""
    return an_app(edge=Edge(tokens=a_judge(str(jwks))))


def a_judge(source: str) -> SignedTokens:
    return SignedTokens(issuer=ISSUER, audience=AUDIENCE, keys=KeySet(source))


async def shown(app: Any, token: str, method: str = "GET") -> Answer:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return await call(app, method, "/people?limit=1", headers=headers, body=b'{"name":"Ada"}')


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        pytest.param(ED, "EdDSA", "ed", id="EdDSA"),
        pytest.param(P256, "ES256", "p256", id="ES256"),
        pytest.param(RSA, "RS256", "rsa", id="RS256"),
    ],
)
async def test_a_token_of_the_issuer_is_as_good_as_a_key(
    app: Any, key: Any, algorithm: str, kid: str
) -> None:
    token = a_token(key, algorithm, kid)
    for _ in range(2):  # the second time from memory
        assert (await shown(app, token)).status == 200


async def test_the_caller_is_the_subject_unless_that_may_name_a_person(app: Any) -> None:
    headers = {"content-type": "application/json"}

    async def caller(subject: str) -> str:
        bearer = {"authorization": f"Bearer {a_token(sub=subject)}"}
        answer = await call(app, "POST", "/people", headers=headers | bearer, body=b'{"name":"A"}')
        return str(answer.json()["name"])

    assert await caller("crm-1") == "Hey, A of jwt:crm-1"
    assert "ada" not in await caller("ada@example.com")


@pytest.mark.edge_case("EC-SEC-007")
async def test_a_token_without_the_scope_is_refused_as_such(app: Any) -> None:
    answer = await shown(app, a_token(scope="users:write plans:read"))
    assert (answer.status, answer.json()["code"]) == (403, "insufficient_scope")


async def test_keys_still_work_beside_tokens(app: Any) -> None:
    assert (await call(app, "GET", "/people", headers=BEARER)).status == 200


def forged(algorithm: str) -> str:
    """Return a token signed with the issuer's public key as if it were a secret."""
    public = ED.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return a_token(base64.b64encode(public), algorithm)


def weakly_signed() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return a_token(WEAK, "RS256", "weak")


def unsigned() -> str:
    return a_token("", "none")


REFUSED = [
    pytest.param(lambda: a_token(exp=seconds_ago(60), iat=seconds_ago(120)), id="EC-SEC-008 ended"),
    pytest.param(lambda: a_token(OTHER_ED), id="EC-SEC-009 signed by another"),
    pytest.param(lambda: a_token()[:-4] + "AAAA", id="EC-SEC-009 signature altered"),
    pytest.param(lambda: "a.b.c", id="EC-SEC-009 nonsense"),
    pytest.param(lambda: "..", id="EC-SEC-009 empty parts"),
    pytest.param(lambda: "ä.ö.ü", id="EC-SEC-009 not ASCII"),
    pytest.param(lambda: a_token() + "x" * 9000, id="endless"),
    pytest.param(unsigned, id="no algorithm"),
    pytest.param(lambda: forged("HS256"), id="public key as secret"),
    pytest.param(lambda: a_token(b"s" * 32, "HS256", "shared"), id="secret in the set"),
    pytest.param(lambda: a_token(P384, "ES384", "p384"), id="algorithm not on the list"),
    pytest.param(lambda: a_token(RSA, "PS256", "rsa"), id="algorithm the key is not for"),
    pytest.param(weakly_signed, id="key too short"),
    pytest.param(lambda: a_token(OTHER_ED, kid="for encryption"), id="key for encryption"),
    pytest.param(lambda: a_token(kid="unheard of"), id="unknown key"),
    pytest.param(lambda: a_token(kid=None), id="names no key"),
    pytest.param(lambda: a_token(headers={"typ": "logout+jwt"}), id="token of another kind"),
    pytest.param(lambda: a_token(headers={"crit": ["x"], "x": 1}), id="unknown critical header"),
    pytest.param(lambda: a_token(iss="https://other.example"), id="another issuer"),
    pytest.param(lambda: a_token(aud="someone-else"), id="for somebody else"),
    pytest.param(lambda: a_token(aud=None), id="for nobody"),
    pytest.param(lambda: a_token(sub=None), id="nobody"),
    pytest.param(lambda: a_token(sub=7), id="a number for a subject"),
    pytest.param(lambda: a_token(exp=None), id="never ends"),
    pytest.param(lambda: a_token(exp="soon"), id="end is no number"),
    pytest.param(lambda: a_token(exp=str(int(time.time()) + 60)), id="end is a text"),
    pytest.param(lambda: a_token(iat=None), id="no beginning"),
    pytest.param(lambda: a_token(nbf=int(time.time()) + 120), id="not yet"),
    pytest.param(
        lambda: a_token(iat=int(time.time()) + 120, exp=int(time.time()) + 200),
        id="from the future",
    ),
    pytest.param(lambda: a_token(exp=int(time.time()) + 7200), id="lives too long"),
]


@pytest.mark.parametrize("make", REFUSED)
async def test_everything_else_gets_the_same_answer_as_no_token(app: Any, make: Any) -> None:
    refused = await shown(app, make())
    without = await call(app, "GET", "/people?limit=1")
    assert (refused.status, without.status) == (401, 401)
    assert told(refused) == told(without)


def told(answer: Answer) -> Any:
    return {name: value for name, value in answer.json().items() if name != "request_id"}


async def test_clocks_may_differ_a_little(app: Any) -> None:
    late = a_token(iat=seconds_ago(100), exp=seconds_ago(10))
    early = a_token(iat=int(time.time()) + 10, nbf=int(time.time()) + 10)
    assert [(await shown(app, token)).status for token in (late, early)] == [200, 200]


async def test_a_remembered_token_ends_when_it_ends(
    jwks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, token = a_judge(str(jwks)), a_token(exp=int(time.time()) + 100)
    assert await judge.find_subject(token)
    later = monotonic_s() + 101
    monkeypatch.setattr(module, "monotonic_s", lambda: later)
    monkeypatch.setattr(judge, "_claims", nothing)
    assert await judge.find_subject(token) is None


async def nothing(_: str) -> None:
    return None


class Issuer:
    """An issuer's address: what it publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [jwk(ED, "ed")]
        self.asked = 0
        self.is_up = True
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer in pieces, as networks do with whatever is longer than a segment."""
        self.asked += 1
        answer = web.StreamResponse(status=200 if self.is_up else 500)
        await answer.prepare(request)
        body = json.dumps({"keys": self.keys}).encode()
        for piece in (body[:20], body[20:]):
            await asyncio.sleep(0.01)
            await answer.write(piece)
        return answer


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """Yield an issuer on a port of its own."""
    issuer = Issuer()
    application = web.Application()
    application.router.add_get("/jwks", issuer.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    yield issuer
    await runner.cleanup()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the monotonic time, which stands still until it is changed."""
    now = [5000.0]
    monkeypatch.setattr(module, "monotonic_s", lambda: now[0])
    return now


async def test_keys_of_an_address_are_fetched_once_for_all(issuer: Issuer) -> None:
    judge = a_judge(issuer.url)
    found = await asyncio.gather(*(judge.find_subject(a_token(jti=str(n))) for n in range(20)))
    assert all(found)
    assert issuer.asked == 1


async def test_a_new_key_is_found_at_its_first_use_but_unknown_ones_ask_seldom(
    issuer: Issuer, clock: list[float]
) -> None:
    judge = a_judge(issuer.url)
    assert await judge.find_subject(a_token())
    issuer.keys.append(jwk(OTHER_ED, "new"))
    for number in range(20):
        assert await judge.find_subject(a_token(OTHER_ED, kid=f"guess {number}")) is None
    assert issuer.asked == 1
    clock[0] += module.REFRESH_FLOOR_S + 1
    assert await judge.find_subject(a_token(OTHER_ED, kid="new"))
    assert issuer.asked == 2


async def test_a_withdrawn_key_stops_working_remembered_tokens_too(
    issuer: Issuer, clock: list[float]
) -> None:
    judge, token = a_judge(issuer.url), a_token()
    assert await judge.find_subject(token)
    issuer.keys = [jwk(OTHER_ED, "new")]
    clock[0] += module.REFRESH_AFTER_S + 1
    assert await judge.find_subject(a_token(OTHER_ED, kid="new"))
    assert await judge.find_subject(token) is None


async def test_a_withdrawn_key_stops_working_also_where_nobody_else_calls(
    issuer: Issuer, clock: list[float]
) -> None:
    judge, token = a_judge(issuer.url), a_token()
    assert await judge.find_subject(token)
    issuer.keys = [jwk(OTHER_ED, "new")]
    clock[0] += module.REFRESH_AFTER_S + 1
    assert await judge.find_subject(token) is None


async def test_a_set_of_keys_beyond_all_reason_is_not_read(issuer: Issuer) -> None:
    issuer.keys.append({"kid": "x" * module._MAX_SET_BYTES})
    assert await a_judge(issuer.url).find_subject(a_token()) is None


async def test_known_keys_go_on_working_while_the_issuer_is_away(
    issuer: Issuer, clock: list[float]
) -> None:
    judge = a_judge(issuer.url)
    assert await judge.find_subject(a_token())
    issuer.is_up = False
    clock[0] += module.REFRESH_AFTER_S + 1
    assert await judge.find_subject(a_token(jti="another"))
    assert issuer.asked == 2


async def test_an_issuer_that_never_answered_vouches_for_nobody(issuer: Issuer) -> None:
    issuer.is_up = False
    assert await a_judge(issuer.url).find_subject(a_token()) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param(
            {"issuer": ISSUER}, "X_JWT_AUDIENCE, X_JWT_JWKS is not set", id="one of three"
        ),
        pytest.param(
            {"issuer": ISSUER, "audience": AUDIENCE, "jwks": "/nowhere"},
            "no usable keys",
            id="file",
        ),
    ],
)
def test_what_cannot_work_is_refused_at_start(settings: dict[str, str], words: str) -> None:
    given = {"issuer": "", "audience": "", "jwks": ""} | settings
    with pytest.raises(StartupError, match=words):
        open_tokens(**given, prefix="X")


def test_without_settings_there_are_no_tokens() -> None:
    settings = EdgeSettings(
        prefix="X",
        rate_per_s=1,
        rate_burst=1,
        trusted_proxies="",
        jwt_issuer="",
        jwt_audience="",
        jwt_jwks="",
    )
    assert open_edge(cast("Pool", None), settings, are_answers_kept=False).tokens is None
