"""A small API to try the HTTP edge on."""

from datetime import date
from typing import Annotated, Any, Protocol
from uuid import UUID

import msgspec
from litestar import Litestar, Request, get, post
from litestar.datastructures import ResponseHeader
from litestar.params import FromPath, JSONBody

from libs.httpapi.app import Provided, create_app
from libs.httpapi.auth import PUBLIC, require
from libs.httpapi.bodies import check_content_type
from libs.httpapi.keys import ApiKeys, new_key
from libs.httpapi.pagination import DEFAULT_LIMIT, CursorText, Limit, Page
from libs.httpapi.problems import Problem
from libs.runtime.health import Health
from libs.runtime.stopping import Stopping

KEY, TOKEN = new_key("tester", ["users:read", "users:write"])
_, STRANGER = new_key("tester")
READER, READER_TOKEN = new_key("reader", ["users:read"])
BEARER = {"authorization": f"Bearer {TOKEN}"}
JSON = BEARER | {"content-type": "application/json"}


class Greeter(Protocol):
    """What a handler is given; a protocol, as most of ours are."""

    def greeting(self) -> str:
        """Return a text."""
        ...


class Hey:
    """The only greeter."""

    def greeting(self) -> str:
        """Return a text."""
        return "Hey"


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A struct inside of another."""

    city: Annotated[str, msgspec.Meta(max_length=5)]


class NewPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body with one field of each kind."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=5)]
    age: Annotated[int, msgspec.Meta(ge=0)] = 0
    birthday: date | None = None
    address: Address | None = None
    opt_outs: list[Annotated[str, msgspec.Meta(pattern="^[a-z]+$")]] = []
    locale: str | msgspec.UnsetType = msgspec.UNSET


class Person(msgspec.Struct, frozen=True):
    """What the API answers."""

    name: str


@post(
    "/people",
    guards=[require("users:write")],
    response_headers=[ResponseHeader("ETag", description="The version.", documentation_only=True)],
)
async def create(
    data: JSONBody[NewPerson], greeter: Provided[Greeter], request: Request[Any, Any, Any]
) -> Person:
    """Register a person."""
    return Person(f"{greeter.greeting()}, {data.name} of {request.auth.key_id}")


@get("/people", guards=[require("users:read")])
async def page(limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None) -> Page[Person]:
    """List people."""
    return Page([Person("Ada Lovelace")] * limit, cursor)


@get("/people/{person_id:uuid}", guards=[PUBLIC])
async def one(person_id: FromPath[UUID]) -> Person:
    """Fail in the way the id says."""
    errors: dict[int, Exception] = {
        1: RuntimeError("secret"),
        2: TimeoutError(),
        3: ConnectionRefusedError("secret"),
        4: Problem(409, "busy", "Busy", "later", members={"version": 7}),
    }
    raise errors[person_id.int]


@post("/import", guards=[PUBLIC], request_max_body_size=None)
async def stream(request: Request[Any, Any, Any]) -> dict[str, int]:
    """Take a body of any size."""
    check_content_type(request, "application/x-ndjson")
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return {"bytes": total}


def an_app(health: Health | None = None, **options: Any) -> Litestar:
    """Return the API with two keys."""
    return create_app(
        [create, page, one, stream],
        title="People",
        version="1",
        auth=ApiKeys([KEY, READER]),
        health=health or Health(Stopping()),
        greeter=Hey(),
        **options,
    )
