import gzip
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from libs.httpapi.compression import preferred_encoding
from tests.unit.edge.api import BEARER, an_app
from tests.unit.edge.calls import call


@pytest.fixture(scope="module")
def app() -> Any:
    return an_app()


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, br", "br"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *;q=0.1", "br"),
        ("br;q=x, gzip", "gzip"),
        ("zstd;q=0.2, br;q=0.8, gzip;q=0.8", "br"),
        ("gzip;q=0.5, identity;q=0.9", None),
        ("gzip, identity;q=0.5", "gzip"),
        ("deflate", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("", None),
    ],
)
def test_the_clients_preference_decides_then_ours(accepted: str, encoding: str | None) -> None:
    assert preferred_encoding(accepted) == encoding


@pytest.mark.parametrize(
    ("encoding", "decompress"),
    [
        ("gzip", gzip.decompress),
        ("br", brotli.decompress),
        ("zstd", lambda body: zstandard.ZstdDecompressor().decompress(body)),
    ],
    ids=["gzip", "brotli", "zstd"],
)
async def test_a_large_answer_is_compressed(app: Any, encoding: str, decompress: Any) -> None:
    plain = await call(app, "GET", "/people", headers=BEARER)
    headers = BEARER | {"accept-encoding": encoding}
    packed = await call(app, "GET", "/people", headers=headers)
    assert decompress(packed.body) == plain.body
    assert packed.headers["content-encoding"] == encoding
    assert packed.headers["content-length"] == str(len(packed.body))
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"


async def test_a_small_answer_is_not(app: Any) -> None:
    headers = BEARER | {"accept-encoding": "gzip"}
    answer = await call(app, "GET", "/people?limit=1", headers=headers)
    assert "content-encoding" not in answer.headers
