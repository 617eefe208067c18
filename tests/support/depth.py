"""How deep the tests search: ``make nightly`` sets JUBILEE_TEST_DEPTH=nightly."""

import os

IS_NIGHTLY = os.environ.get("JUBILEE_TEST_DEPTH") == "nightly"


def deeper(usual: int, nightly: int) -> int:
    """Return how many examples to try: ``usual`` in ``make test``, ``nightly`` at night."""
    return nightly if IS_NIGHTLY else usual
