"""The model can fail: faults sown into the product, one at a time, are found by it."""

import pytest

from tests.model.mutants import MUTANTS, Mutant
from tests.model.search import Search
from tests.model.system import Servers
from tests.support.depth import IS_NIGHTLY

RUNS = 600
QUICKLY_FOUND = (
    "the claim ignores the late limit",
    "who left is forgotten instead of remembered",
    "what was known too late is owed",
    "a row keeps the instant it was planned for",
)
"""Found within a few runs: those that ``make test`` sows."""
SOWN = [one for one in MUTANTS if IS_NIGHTLY or one.name in QUICKLY_FOUND]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mutant", SOWN, ids=lambda mutant: mutant.name)
async def test_a_sown_fault_is_found(servers: Servers, mutant: Mutant) -> None:
    search = Search(servers)
    with mutant.sow():
        seed = await search.first_failing(first_seed=1, runs=RUNS)
    assert seed is not None, f"not found in {RUNS} runs"
