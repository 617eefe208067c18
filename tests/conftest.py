"""Servers for every test: real ones, whose addresses `make test` puts into the environment."""

import os
from collections.abc import AsyncIterator

import pytest

from tests.support.databases import drop_templates
from tests.support.edge_cases import name_after_edge_cases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let marked tests bear the ids of their edge cases."""
    name_after_edge_cases(metafunc)


def _given(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: run `make test`, which starts the servers for the tests")
    return value


@pytest.fixture(scope="session")
def pg_url() -> str:
    """Return the URL of a database on a server where this role may create others."""
    return _given("JUBILEE_TEST_DATABASE_URL")


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """Return the URL of a broker where this user may use any virtual host."""
    return _given("JUBILEE_TEST_BROKER_URL")


@pytest.fixture(scope="session")
def amqp_api() -> str:
    """Return the URL of that broker's management API."""
    return _given("JUBILEE_TEST_BROKER_API")


@pytest.fixture(scope="session", autouse=True)
async def _templates_go_at_the_end() -> AsyncIterator[None]:
    yield
    if url := os.environ.get("JUBILEE_TEST_DATABASE_URL"):
        await drop_templates(url)
