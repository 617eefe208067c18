"""The registry of kinds."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mypy import api as mypy

from contracts.kinds import KINDS, Kind, registry
from contracts.kinds.birthday import BIRTHDAY
from contracts.kinds.registry import KindError


def test_birthday_and_anniversary_ship() -> None:
    assert set(KINDS) == {"birthday", "anniversary"}


@pytest.mark.edge_case("EC-ST-002")
def test_a_kind_registered_twice_is_refused_naming_both() -> None:
    other = msgspec.structs.replace(BIRTHDAY, template_version=2)
    with pytest.raises(KindError, match="twice") as caught:
        registry(BIRTHDAY, other)
    assert repr(BIRTHDAY) in str(caught.value)
    assert repr(other) in str(caught.value)


@pytest.mark.edge_case("EC-ST-003")
@pytest.mark.parametrize("name", ["", "Birthday", "birth day", "1st", "x" * 41, "birthday\n"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(KindError, match="must match"):
        registry(msgspec.structs.replace(BIRTHDAY, name=name))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"date_field": "wedding"}, id="EC-ST-004 a date nobody has"),
        pytest.param({"cadence": "fortnightly"}, id="EC-ST-004 a cadence there is not"),
        pytest.param({"promise": "exactly_once"}, id="EC-ST-004 a promise nobody can keep"),
        pytest.param({"late_limit": timedelta(0)}, id="no time to be late"),
        pytest.param({"templates": {}}, id="no English"),
    ],
)
def test_a_kind_that_cannot_work_is_refused_at_start(change: dict[str, Any]) -> None:
    with pytest.raises(KindError, match="'birthday'"):
        registry(msgspec.structs.replace(BIRTHDAY, **change))


@pytest.mark.edge_case("EC-ST-004")
@pytest.mark.parametrize("missing", ["name", "date_field", "cadence", "templates"])
def test_a_kind_that_lacks_an_attribute_is_refused_at_start(missing: str) -> None:
    given = {field: getattr(BIRTHDAY, field) for field in Kind.__struct_fields__}
    del given[missing]
    with pytest.raises(TypeError, match=f"'{missing}'"):
        Kind(**given)


@pytest.mark.edge_case("EC-ST-004")
def test_a_kind_that_lacks_an_attribute_is_refused_by_the_type_checker(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from contracts.kinds import Kind\n"
        'Kind(name="welcome", date_field="wedding", cadence="once")\n'
    )
    cache = Path(__file__).parents[3] / ".mypy_cache"
    told, _, status = mypy.run(["--strict", "--cache-dir", str(cache), str(wrong)])
    assert status == 1
    assert 'Missing named argument "templates"' in told
    assert 'expected "Literal[' in told


@pytest.mark.edge_case("EC-ST-012")
def test_an_empty_text_is_refused() -> None:
    english = msgspec.structs.replace(BIRTHDAY.templates["en"], text=" ")
    with pytest.raises(KindError, match="empty"):
        registry(msgspec.structs.replace(BIRTHDAY, templates={"en": english}))
