"""Puts the ids of edge cases into the names of tests, so that ``pytest -k EC-TZ-018`` finds them.

Either as the id of a parameter, ``pytest.param(…, id="EC-TZ-018 gap")``, or on a whole test as
``@pytest.mark.edge_case("EC-TZ-018")``.
"""

import pytest

MARK = "edge_case"


def name_after_edge_cases(metafunc: pytest.Metafunc) -> None:
    """Give a marked test a parameter whose id is the ids of its edge cases."""
    ids = [name for mark in metafunc.definition.iter_markers(MARK) for name in mark.args]
    if ids:
        metafunc.fixturenames.append(MARK)
        metafunc.parametrize(MARK, [None], ids=[" ".join(ids)])
