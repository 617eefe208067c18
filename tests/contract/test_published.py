"""Schemas, samples, AsyncAPI: generated, complete, and true."""

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts import codec, topology
from deploy.contracts.__main__ import PUBLISHED, drift
from deploy.contracts.samples import sample

PUBLIC_PATHS = {"/unsubscribe/{token}", "/v1/provider-reports"}
"""Who calls here shows no key: a link in a mail, a signature over a report."""


def published(name: str) -> Any:
    return json.loads((PUBLISHED / name).read_text(encoding="utf-8"))


def test_nothing_drifted_from_the_code() -> None:
    assert drift() == [], "run `make contracts` and commit what it changes"


@pytest.mark.parametrize(
    "path", sorted((PUBLISHED / "samples").glob("*.json")), ids=lambda p: p.stem
)
def test_every_published_sample_decodes(path: Path) -> None:
    assert codec.decode(path.stem, path.read_bytes())


@pytest.mark.parametrize("type_name", codec.TYPES)
def test_every_sample_fits_its_schema(type_name: str) -> None:
    validator = Draft202012Validator(
        published(f"schemas/{type_name}.json"), format_checker=FormatChecker()
    )
    for item in published(f"samples/{type_name}.json"):
        validator.validate(item)


@pytest.mark.parametrize("type_name", codec.TYPES)
def test_a_schema_refuses_an_event_without_its_data(type_name: str) -> None:
    validator = Draft202012Validator(published(f"schemas/{type_name}.json"))
    item = published(f"samples/{type_name}.json")[0]
    del item["data"]
    assert not validator.is_valid(item)


def test_asyncapi_describes_every_type_and_its_references_resolve() -> None:
    document = yaml.safe_load((PUBLISHED / "asyncapi.yaml").read_text(encoding="utf-8"))
    assert set(document["channels"]) == set(codec.TYPES)
    for message in document["components"]["messages"].values():
        assert (PUBLISHED / message["payload"]["items"]["$ref"]).is_file()


def test_every_type_is_taken_by_a_queue_of_ours_or_known_to_be_for_others_only() -> None:
    keys = [key for queue in topology.WORK_QUEUES for key in queue.routing_keys]
    taken = {name for name in codec.TYPES if any(fnmatch(name, key) for key in keys)}
    assert taken == set(codec.TYPES) - topology.UNHEARD


@pytest.mark.parametrize("queue", topology.WORK_QUEUES, ids=lambda queue: queue.name)
def test_no_work_queue_loses_what_it_gives_up(queue: topology.Queue) -> None:
    assert queue.arguments["x-queue-type"] == "quorum"
    assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
    assert queue.arguments["x-overflow"] == "reject-publish"
    assert queue.arguments["x-dead-letter-routing-key"] in {
        key for dead in topology.DEAD_QUEUES for key in dead.routing_keys
    }


def test_a_sample_is_written_as_it_is_read() -> None:
    for type_name in codec.TYPES:
        event = sample(type_name)
        assert codec.decode(type_name, codec.encode([event])) == [event]


@pytest.mark.parametrize("service", ["user", "planner", "dispatcher"])
def test_every_services_openapi_is_valid_and_says_who_may_call(service: str) -> None:
    document = published(f"openapi/{service}.json")
    OpenAPIV31SpecValidator(document).validate()
    for path, item in document["paths"].items():
        for operation in item.values():
            assert bool(operation.get("security")) == (path not in PUBLIC_PATHS), path


@pytest.mark.parametrize("service", ["user", "planner", "dispatcher"])
def test_every_operation_says_in_words_what_it_does(service: str) -> None:
    for path, item in published(f"openapi/{service}.json")["paths"].items():
        for method, operation in item.items():
            summary = operation["summary"]
            assert " " in summary, (method, path)
            assert len(summary) <= 70, (method, path)
            assert operation["description"], (method, path)
            assert operation["tags"], (method, path)


@pytest.mark.parametrize(
    ("service", "method", "path", "status", "code"),
    [
        ("user", "post", "/v1/users", "409", "email_taken"),
        ("user", "post", "/v1/users/{person_id}/restore", "410", "person_erased"),
        ("user", "get", "/v1/users/{person_id}/export", "410", "person_erased"),
        ("user", "get", "/v1/events", "410", "position_gone"),
        ("planner", "post", "/v1/pauses", "409", "paused_already"),
        ("planner", "post", "/v1/pauses", "409", "idempotency_in_progress"),
        ("planner", "post", "/v1/cancellations", "409", "cancelled_already"),
        ("dispatcher", "post", "/v1/previews", "409", "not_writable"),
        ("dispatcher", "post", "/v1/provider-reports", "401", "unsigned"),
    ],
)
def test_a_routes_own_refusals_are_described_by_their_codes(
    service: str, method: str, path: str, status: str, code: str
) -> None:
    operation = published(f"openapi/{service}.json")["paths"][path][method]
    refusal = operation["responses"][status]
    assert f"`{code}`" in refusal["description"]
    assert list(refusal["content"]) == ["application/problem+json"]
