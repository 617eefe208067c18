import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from libs.httpapi.docs import openapi_document
from tests.unit.edge.api import an_app
from tests.unit.edge.calls import call

STATIC = Path(openapi_document.__code__.co_filename).parent / "static"


@pytest.fixture(scope="module")
def app() -> Any:
    return an_app()


async def test_the_description_is_valid_openapi_31(app: Any) -> None:
    document = (await call(app, "GET", "/openapi.json")).json()
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_operation_says_which_scope_it_needs(app: Any) -> None:
    people = openapi_document(app)["paths"]["/people"]
    ways = ("bearer", "jwt", "apiKey")
    assert people["get"]["security"] == [{way: ["users:read"]} for way in ways]
    assert people["post"]["security"] == [{way: ["users:write"]} for way in ways]
    assert people["post"]["description"] == "Register a person."


def test_a_summary_is_the_first_clause_of_what_the_route_says_of_itself(app: Any) -> None:
    people = openapi_document(app)["paths"]["/people"]
    assert people["post"]["summary"] == "Register a person"


def test_every_refusal_is_described_as_a_problem(app: Any) -> None:
    responses = openapi_document(app)["paths"]["/people"]["post"]["responses"]
    refused = {"400", "401", "403", "408", "413", "415", "422", "429", "4XX", "503"}
    assert set(responses) == {"201"} | refused
    for status in refused:
        assert list(responses[status]["content"]) == ["application/problem+json"]


def test_generic_structs_have_readable_names(app: Any) -> None:
    schemas = openapi_document(app)["components"]["schemas"]
    assert set(schemas) == {"Address", "NewPerson", "Page_Person", "Person", "Problem"}


async def test_the_page_loads_only_what_is_served_here(app: Any) -> None:
    page = await call(app, "GET", "/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert len(links) == 4
    for link in links:
        assert (await call(app, "GET", link)).status == 200
    assert "connect-src 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["index.html", "start.js", "favicon.svg"])
def test_our_own_files_name_no_other_host(name: str) -> None:
    text = (STATIC / name).read_text().replace("http://www.w3.org/2000/svg", "")
    assert "//" not in re.sub(r"^//.*", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "path", ["/docs/none.js", "/docs/..%2fdocs.py", "/docs/index.html", "/schema"]
)
async def test_nothing_else_is_served(app: Any, path: str) -> None:
    assert (await call(app, "GET", path)).status == 404
