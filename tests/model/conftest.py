"""The servers every history is played on."""

from collections.abc import AsyncIterator

import pytest

from tests.model.system import Servers, open_servers


@pytest.fixture(scope="session")
async def servers(pg_url: str) -> AsyncIterator[Servers]:
    """Yield the three databases, made once and emptied before every history."""
    async with open_servers(pg_url) as servers:
        yield servers
