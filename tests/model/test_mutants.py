"""The model can fail: it objects to every fault sown into the product, and only because of it."""

import pytest

from tests.model.mutants import MUTANTS, Mutant
from tests.model.run import Run, World
from tests.model.search import unique
from tests.model.system import Servers
from tests.model.watch import Violation
from tests.model.witnesses import WITNESSES

each_sown_fault = pytest.mark.parametrize(
    "mutant", [pytest.param(one, id=one.name) for one in MUTANTS]
)


async def _play_witness(servers: Servers, mutant: Mutant) -> None:
    await Run(servers, World(), unique()).play(WITNESSES[mutant.name])


@each_sown_fault
async def test_without_the_fault_its_witness_passes(servers: Servers, mutant: Mutant) -> None:
    await _play_witness(servers, mutant)


@each_sown_fault
async def test_with_the_fault_the_model_objects(servers: Servers, mutant: Mutant) -> None:
    # Nothing but an objection will do: a statement that the fault spoilt would prove nothing.
    with mutant.sow(), pytest.raises(Violation):
        await _play_witness(servers, mutant)


def test_every_witness_is_of_a_fault() -> None:
    assert set(WITNESSES) == {one.name for one in MUTANTS}
