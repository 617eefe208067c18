"""Which known word a misspelt one was meant to be."""

import heapq
from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher

_COMPARED_MAX = 64
_SHORTLIST = 16


class Nearest:
    """Finds the known name most like a misspelt one.

    A name with a slash is found by its last part as well. ``alike_at_least`` is 1 where only the
    case may differ. Of many names only those are compared
    that share the most pairs of letters, so looking up costs a fraction of a millisecond.
    """

    def __init__(self, names: Iterable[str], *, alike_at_least: float) -> None:
        self._alike_at_least = alike_at_least
        self._spellings = {
            spelling: name
            for name in names
            for spelling in (_plain(name.rpartition("/")[2]), _plain(name))
        }
        self._by_pair: dict[str, list[str]] = {}
        for spelling in self._spellings:
            for pair in _pairs(spelling):
                self._by_pair.setdefault(pair, []).append(spelling)

    def to(self, text: str) -> str | None:
        """Return the name ``text`` is most like; None where none is alike enough."""
        given = _plain(text[:_COMPARED_MAX])
        matcher = SequenceMatcher(b=given, autojunk=False)
        best, likeness = None, self._alike_at_least
        for spelling in self._shortlist(given):
            matcher.set_seq1(spelling)
            if (ratio := matcher.ratio()) >= likeness:
                best, likeness = self._spellings[spelling], ratio
        return best

    def _shortlist(self, given: str) -> Iterable[str]:
        if len(self._spellings) <= _SHORTLIST:
            return self._spellings
        shared = Counter(name for pair in _pairs(given) for name in self._by_pair.get(pair, ()))
        return heapq.nlargest(
            _SHORTLIST, shared, key=lambda name: shared[name] / (len(name) + len(given))
        )


def did_you_mean(name: str | None) -> str:
    """Return the end of a refusal's sentence that offers ``name``, if there is one to offer."""
    return "" if name is None else f"; did you mean {name}?"


def _plain(text: str) -> str:
    return text.casefold().strip().replace(" ", "_").replace("-", "_")


def _pairs(text: str) -> set[str]:
    edged = f"^{text}$"
    return {edged[index : index + 2] for index in range(len(edged) - 1)}
