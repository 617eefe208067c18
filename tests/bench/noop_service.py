"""The least that a request can cost: our whole edge around handlers that do nothing.

``python -m tests.bench.noop_service`` reads NOOP_HTTP_PORT and NOOP_API_KEYS_FILE.
"""

import os
from typing import Any

from litestar import Request, get, post

from libs.httpapi.app import create_app
from libs.httpapi.auth import require
from libs.httpapi.bodies import check_content_type, parse_json
from libs.httpapi.keys import load_api_keys
from libs.httpapi.serve import HttpServer
from libs.runtime.health import Health
from libs.runtime.loops import supervise
from libs.runtime.process import run_process
from libs.runtime.stopping import current_stopping


@post("/v1/noop", guards=[require("users:write")])
async def do_nothing(request: Request[Any, Any, Any]) -> dict[str, int]:
    """Read the body as a registration would, and answer."""
    check_content_type(request, "application/json", "+json")
    return {"fields": len(parse_json(await request.body()))}


@get("/v1/noop", guards=[require("users:read")])
async def say_nothing() -> dict[str, int]:
    """Answer."""
    return {"fields": 0}


async def _serve() -> None:
    auth = load_api_keys(
        os.environ["NOOP_API_KEYS_FILE"], env="development", variable="NOOP_API_KEYS_FILE"
    )
    health = Health(current_stopping())
    app = create_app(
        [do_nothing, say_nothing], title="No-op", version="0", auth=auth, health=health
    )
    server = HttpServer(app, "127.0.0.1", int(os.environ["NOOP_HTTP_PORT"]))
    server.bind()
    await supervise([], [server], drain_timeout_s=5)


if __name__ == "__main__":
    run_process(_serve)
