"""HTTP: the link by which someone ends mails of a kind (RFC 8058), and what operators see of it.

Scanners and mail programs fetch links nobody clicked: GET only shows a button.
"""

from string import Template
from typing import Any
from uuid import UUID

from litestar import Request, Response, Router, delete, get, post
from litestar.params import FromPath

from contracts.recipient_events import RecipientBlocksChanged
from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import PUBLIC, require
from libs.httpapi.problems import FieldError, invalid, standard_problem
from libs.postgres.types import Pool
from services.dispatcher.adapters.blocks import find_blocks
from services.dispatcher.app.unsubscribe import resubscribe, unsubscribe
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.domain.unsubscribing import ONE_CLICK, Unsubscribing

_FIELD, _, _WORD = ONE_CLICK.partition("=")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_PAGE = Template(
    "<!doctype html><html lang=en><meta charset=utf-8>"
    '<meta name=viewport content="width=device-width">'
    "<title>Mails from us</title>"
    "<style>body{font:1.1em system-ui;max-width:30em;margin:4em auto;padding:0 1em}"
    "button{font:inherit;padding:.6em 1.2em}</style>$content</html>"
)
_QUESTION = (
    "<h1>No more of these mails?</h1><p>You will get no more greetings on this occasion.</p>"
    f'<form method=post><input type=hidden name="{_FIELD}" value="{_WORD}">'
    "<button>Send me no more</button></form>"
)
_DONE = "<h1>Done</h1><p>You will get no more greetings on this occasion.</p>"


@get(
    "/unsubscribe/{token:str}",
    guards=[PUBLIC],
    media_type="text/html",
    summary="Show the page that asks whether to unsubscribe",
    tags=["unsubscribes"],
)
async def ask_unsubscribe(token: FromPath[str], greetings: Provided[Greetings]) -> Response[str]:
    """Show a page with a button; following the link alone changes nothing."""
    _read(greetings, token)
    return _page(_QUESTION)


@post(
    "/unsubscribe/{token:str}",
    guards=[PUBLIC],
    summary="End mails of the link's kind to the link's person",
    status_code=200,
    tags=["unsubscribes"],
    media_type="text/html",
)
async def one_click(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    pool: Provided[Pool],
    clock: Provided[Clock],
    greetings: Provided[Greetings],
) -> Response[str]:
    """End mails of the link's kind to the link's person, queued ones included (RFC 8058).

    The body is ``List-Unsubscribe=One-Click``, as a form of either encoding.
    """
    asked = _read(greetings, token)
    # Both encodings of a form carry the two words as they are.
    body = await request.body()
    if _FIELD.encode() not in body or _WORD.encode() not in body:
        raise invalid([FieldError(None, "missing", f"the body must be {ONE_CLICK}")])
    await unsubscribe(pool, asked, now=clock.now())
    return _page(_DONE)


@delete(
    "/v1/unsubscribes/{person_id:uuid}/{kind:str}",
    guards=[require("ops:redrive")],
    status_code=204,
    tags=["unsubscribes"],
)
async def undo_unsubscribe(
    person_id: FromPath[UUID], kind: FromPath[str], pool: Provided[Pool], clock: Provided[Clock]
) -> None:
    """Let mails of a kind go to a person again who had ended them."""
    if not await resubscribe(pool, Unsubscribing(person_id, kind), now=clock.now()):
        raise standard_problem(404, "this person has not ended this kind")


@get(
    "/v1/blocks/{person_id:uuid}",
    guards=[require("deliveries:read")],
    summary="Show what keeps mail from a person",
    tags=["unsubscribes"],
)
async def show_blocks(person_id: FromPath[UUID], pool: Provided[Pool]) -> RecipientBlocksChanged:
    """Show what keeps mail from a person, per kind or for all (``*``), as it was last published."""
    async with pool.acquire() as connection:
        blocks = await find_blocks(connection, person_id)
    if blocks is None:
        raise standard_problem(404, "nothing ever kept mail from this person")
    return blocks


def _read(greetings: Greetings, token: str) -> Unsubscribing:
    asked = greetings.links.read(token) if greetings.links else None
    if asked is None:
        raise standard_problem(404, "this link is not one of ours")
    return asked


def _page(content: str) -> Response[str]:
    return Response(
        _PAGE.substitute(content=content), media_type="text/html; charset=utf-8", headers=_HEADERS
    )


ROUTES = Router("/", route_handlers=[ask_unsubscribe, one_click, undo_unsubscribe, show_blocks])
