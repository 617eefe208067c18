import pytest

from tests.bench.entries import FULL, IN_TURNS, QUICK, SMALL, USUAL, all_entries
from tests.bench.targets import TARGETS, Figure


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    for variable in ("DATABASE_URL", "BROKER_URL", "BROKER_API"):
        monkeypatch.setenv(f"JUBILEE_TEST_{variable}", "nowhere")
    return set(all_entries(SMALL))


def test_every_figure_of_a_target_is_measured_by_a_benchmark(names: set[str]) -> None:
    figures = [figure for one in TARGETS for figure in (one.figure, one.over) if figure]
    assert [figure for figure in figures if not _is_measured(figure, names)] == []


def test_what_is_quick_exists(names: set[str]) -> None:
    assert set(QUICK) <= names


def test_what_is_measured_in_turns_exists_and_has_one_group(names: set[str]) -> None:
    members = [name for group in IN_TURNS for name in group]
    assert set(members) <= names
    assert len(members) == len(set(members))


def test_sizes_never_shrink() -> None:
    for name in SMALL.__struct_fields__:
        assert getattr(SMALL, name) <= getattr(USUAL, name) <= getattr(FULL, name)


def _is_measured(figure: Figure, names: set[str]) -> bool:
    if figure.of.endswith("*"):
        return any(name.startswith(figure.of[:-1]) for name in names)
    return figure.of in names
