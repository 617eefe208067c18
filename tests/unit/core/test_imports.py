"""What a process holds in memory before it has done anything is what it has imported."""

import subprocess
import sys

import pytest

HEAVY = frozenset({"aiohttp", "cryptography", "faststream", "jwt", "litestar", "pydantic", "yaml"})
NEEDED = {
    "user": {"cryptography"},  # seals what it keeps of people
    "planner": set[str](),
    "dispatcher": {"aiohttp"},  # speaks to providers
}


def imported_by(module: str) -> set[str]:
    """Return the outermost packages that a fresh interpreter holds once it has ``module``."""
    told = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("service", NEEDED)
def test_a_process_holds_nothing_that_only_an_api_or_a_consumer_needs(service: str) -> None:
    assert imported_by(f"services.{service}.__main__") & HEAVY == NEEDED[service]


@pytest.mark.parametrize("service", NEEDED)
def test_an_api_holds_no_tokens_unless_an_issuer_is_trusted(service: str) -> None:
    assert not imported_by(f"services.{service}.wiring.serving") & {"jwt", "pydantic"}
