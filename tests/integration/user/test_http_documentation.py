"""The API's own description is complete."""

from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.integration.user.conftest import Client

EXPECTED = {
    "/user": {"post"},
    "/user/{person_id}": {"put", "delete"},
    "/v1/events": {"get"},
    "/v1/users": {"get", "post"},
    "/v1/users/export": {"get"},
    "/v1/users/import": {"post"},
    "/v1/users/{person_id}": {"get", "put", "patch", "delete"},
    "/v1/users/{person_id}/erase": {"post"},
    "/v1/users/{person_id}/export": {"get"},
    "/v1/users/{person_id}/history": {"get"},
    "/v1/users/{person_id}/restore": {"post"},
}


async def test_description_is_valid_and_names_every_route(client: Client) -> None:
    document: dict[str, Any] = (await client.ask("GET", "/openapi.json")).json
    OpenAPIV31SpecValidator(document).validate()
    assert {path: set(item) for path, item in document["paths"].items()} == EXPECTED


def scope_of(method: str, path: str) -> str:
    """Return the scope a route should need."""
    if path == "/v1/events":
        return "events:read"
    if path.endswith("/export"):
        return "users:export"
    return "users:read" if method == "get" else "users:write"


async def test_every_route_says_its_scope_and_every_write_its_body(client: Client) -> None:
    document: dict[str, Any] = (await client.ask("GET", "/openapi.json")).json
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert {"bearer": [scope_of(method, path)]} in operation["security"], path
            is_bodiless = method in {"get", "delete"} or path.endswith(("erase", "restore"))
            assert ("requestBody" in operation) is not is_bodiless, path
