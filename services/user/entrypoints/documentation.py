"""What OpenAPI cannot read off the handlers: raw bodies and conditional headers."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIType

from services.user.entrypoints.views import ExportedPerson, PersonDocument

NDJSON = "application/x-ndjson"
CSV = "text/csv"

EXAMPLE = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/London",
    "birthday": "1990-06-14",
}
CSV_EXAMPLE = (
    "first_name,last_name,email,timezone,birthday,opt_outs\r\n"
    "Ada,Lovelace,ada@example.com,Europe/London,1990-06-14,birthday;anniversary\r\n"
)


def _document_schema() -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.schema(PersonDocument)["$defs"]["PersonDocument"]
    return {**schema, "examples": [EXAMPLE]}


def _patch_schema() -> dict[str, Any]:
    whole = _document_schema()
    nullable = {
        name: {"anyOf": [field, {"type": "null"}]} for name, field in whole["properties"].items()
    }
    return {
        "title": "PersonPatch",
        "description": "A JSON merge patch (RFC 7396): null removes, what is not named stays.",
        "type": "object",
        "properties": nullable,
        "additionalProperties": False,
        "examples": [{"timezone": "Asia/Tokyo", "location_city": None}],
    }


def _body(schema: Any, *media_types: str) -> RequestBody:
    content = {media_type: OpenAPIMediaType(schema=schema) for media_type in media_types}
    return RequestBody(content=content, required=True)


def _header(name: str, description: str) -> Parameter:
    return Parameter(
        name=name,
        param_in="header",
        required=False,
        description=description,
        schema=Schema(type=OpenAPIType.STRING),
    )


_IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters. The same key and request get the first answer again.",
)
_CACHE_CONTROL = _header(
    "Cache-Control",
    "How old the answer may be where a replica answers reads. `no-cache`: as of now, which is what "
    "a caller with the scope `users:write` gets anyway. `max-stale`, or `max-stale=2` in seconds: "
    "up to that, and never more than the operator allows (a second), as for everybody else.",
)
_IF_MATCH = _header("If-Match", 'The version you saw, such as `"3"`; another one gives 412.')


@dataclass
class ReadOperation(Operation):
    """May be answered by a replica, and says how old the answer may be."""

    def __post_init__(self) -> None:
        self.parameters = [*(self.parameters or []), _CACHE_CONTROL]


@dataclass
class NewPersonOperation(Operation):
    """Takes a whole person and an idempotency key."""

    def __post_init__(self) -> None:
        self.request_body = _body(_document_schema(), "application/json")
        self.parameters = [*(self.parameters or []), _IDEMPOTENCY_KEY]


@dataclass
class ConditionalOperation(Operation):
    """Takes the version the client saw and an idempotency key."""

    def __post_init__(self) -> None:
        self.parameters = [*(self.parameters or []), _IF_MATCH, _IDEMPOTENCY_KEY]


@dataclass
class ReplacementOperation(ConditionalOperation):
    """Takes a whole person besides."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.request_body = _body(_document_schema(), "application/json")


@dataclass
class PatchOperation(ConditionalOperation):
    """Takes a merge patch besides."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.request_body = _body(
            _patch_schema(), "application/merge-patch+json", "application/json"
        )


@dataclass
class ImportOperation(Operation):
    """Takes a person per line."""

    def __post_init__(self) -> None:
        self.request_body = _body(_document_schema(), NDJSON)
        table = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING), example=CSV_EXAMPLE)
        self.request_body.content[CSV] = table


@dataclass
class ExportOperation(ReadOperation):
    """Gives a person per line, or a table."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.responses = _streamed(
            "People, a line each.",
            **{NDJSON: _exported_schema(), CSV: Schema(type=OpenAPIType.STRING)},
        )


@dataclass
class PersonExportOperation(ReadOperation):
    """Gives everything about a person."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.responses = (self.responses or {}) | _streamed(
            "Everything kept about the person.",
            **{"application/json": Schema(type=OpenAPIType.OBJECT)},
        )


def _exported_schema() -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.schema(ExportedPerson)["$defs"]["ExportedPerson"]
    return schema


def _streamed(description: str, **schemas: Any) -> dict[str, OpenAPIResponse | Reference]:
    content = {name: OpenAPIMediaType(schema=schema) for name, schema in schemas.items()}
    return {"200": OpenAPIResponse(description=description, content=content)}
