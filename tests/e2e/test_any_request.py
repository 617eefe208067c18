"""Any request at all, made from each service's own description: nothing breaks, nothing is untold.

Schemathesis makes requests that fit the description and requests that do not, for every route that
is described, and judges the answers by it.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.support.depth import deeper
from tests.support.town import AUTHORIZATION, BEFORE_NINE, Town, a_town

EXAMPLES = deeper(12, 400)
"""Requests per route, of each of the two kinds."""
JUDGED_BY = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    unsupported_method,
    missing_required_header,
    ignored_auth,
]


@pytest.fixture(scope="module")
async def town(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """Yield a system of which no service is started yet."""
    folder: Path = tmp_path_factory.mktemp("town")
    async with a_town(pg_url, amqp_url, amqp_api, folder) as town:
        yield town


@pytest.mark.parametrize("service", ["user", "planner", "dispatcher"])
async def test_no_request_breaks_a_service_or_gets_an_undescribed_answer(
    town: Town, service: str
) -> None:
    await town.start(service, env={"JUBILEE_CLOCK": BEFORE_NINE})
    failures = await asyncio.to_thread(failures_of, town.system.url(service))
    await town.system.stop(service)
    assert not failures, "\n\n".join(failures)


def failures_of(url: str) -> list[str]:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=AUTHORIZATION)
    found: list[str] = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            found += failures_of_operation(operation, mode)
    return found


def failures_of_operation(operation: Any, mode: GenerationMode) -> list[str]:
    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def judge(case: Any) -> None:
        case.call_and_validate(headers=AUTHORIZATION, checks=JUDGED_BY, timeout=20)

    try:
        judge()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, operation.label  # nothing about it can be wrong
    except (schemathesis.errors.SchemathesisError, AssertionError, BaseExceptionGroup) as error:
        return [f"{operation.label} ({mode.value}): {error}"]
    return []
