"""Random histories of people, time, messages and deaths, on the real services."""

import os
from collections.abc import Callable

import pytest

from tests.model.search import Search
from tests.model.system import Servers
from tests.support.depth import deeper

WITHIN_S = deeper(75, 3600)
MAILS_A_RUN = 3
"""At least, on the average: there are about five. Histories that greet nobody prove little."""

FIRST_SEED = int(os.environ.get("JUBILEE_MODEL_SEED", "1"))
"""A failure names its seed: ``JUBILEE_MODEL_SEED=<n>`` begins there."""


@pytest.mark.timeout(WITHIN_S * 2 + 120)
@pytest.mark.edge_case("EC-RC-004", "EC-RC-008")
async def test_no_history_breaks_the_promise(
    servers: Servers, record_property: Callable[[str, object], None]
) -> None:
    search = Search(servers)
    await search.look(first_seed=FIRST_SEED, within_s=WITHIN_S)
    facts = {
        "runs": search.tally.runs,
        "actions": search.tally.steps,
        "mails": search.tally.mails,
        "ends": dict(search.tally.ends.most_common()),
    }
    for name, value in facts.items():
        record_property(name, value)
    print(facts)
    assert search.tally.runs > WITHIN_S / 10
    assert search.tally.mails > MAILS_A_RUN * search.tally.runs
