import re
from pathlib import Path

import pytest

from tests.bench.tables import DOCUMENTS, TABLES, filled


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_documents_tables_are_what_is_recorded(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert filled(text) == text, "write them anew: python -m tests.bench.tables --write"


def test_every_table_has_its_place_in_a_document() -> None:
    places = [
        name
        for document in DOCUMENTS
        for name in re.findall(r"<!-- table: (\w+) -->", document.read_text(encoding="utf-8"))
    ]
    assert sorted(places) == sorted(TABLES)


def test_what_stands_between_the_marks_is_replaced_and_the_rest_stays() -> None:
    text = "before\n<!-- table: roles -->\nold\n<!-- end -->\nafter\n"
    new = filled(text)
    assert new.startswith("before\n<!-- table: roles -->\n| herd |")
    assert new.endswith("<!-- end -->\nafter\n")
    assert "old" not in new
