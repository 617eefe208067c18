"""Which known word a misspelt one was meant to be."""

from collections import Counter
from collections.abc import Iterable

_ALIKE_AT_LEAST = 0.6
_COMPARED_MAX = 64


class Nearest:
    """Finds the known name most like a misspelt one, by the pairs of letters both have.

    A name with a slash is found by its last part as well. Looking up costs some microseconds: only
    names that share a pair are compared.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._spellings = {
            spelling: name
            for name in names
            for spelling in (_plain(name.rpartition("/")[2]), _plain(name))
        }
        self._sizes = {spelling: len(_pairs(spelling)) for spelling in self._spellings}
        self._by_pair: dict[str, list[str]] = {}
        for spelling in self._spellings:
            for pair in _pairs(spelling):
                self._by_pair.setdefault(pair, []).append(spelling)

    def to(self, text: str) -> str | None:
        """Return the name ``text`` is most like; None where none is alike enough."""
        pairs = _pairs(_plain(text[:_COMPARED_MAX]))
        shared = Counter(spelling for pair in pairs for spelling in self._by_pair.get(pair, ()))
        likeness, spelling = max(
            ((2 * count / (len(pairs) + self._sizes[one]), one) for one, count in shared.items()),
            default=(0.0, ""),
        )
        return self._spellings[spelling] if likeness >= _ALIKE_AT_LEAST else None


def did_you_mean(name: str | None) -> str:
    """Return the end of a refusal's sentence that offers ``name``, if there is one to offer."""
    return "" if name is None else f"; did you mean {name}?"


def _plain(text: str) -> str:
    return text.casefold().strip().replace(" ", "_").replace("-", "_")


def _pairs(text: str) -> set[str]:
    edged = f"^{text}$"
    return {edged[index : index + 2] for index in range(len(edged) - 1)}
