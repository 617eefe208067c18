"""Rows of a CSV file, however they are written."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.httpapi.problems import Problem
from services.user.app.import_people import Line
from services.user.domain.cells import as_given, harmless
from services.user.domain.errors import FieldError
from services.user.entrypoints.csv_lines import CsvReader, columns_of, read_columns
from services.user.entrypoints.lines import batches

HEADER = b"first_name,last_name,email,timezone"
COLUMNS = ("first_name", "last_name")


def read(*lines: bytes, columns: Sequence[str] = COLUMNS, from_line: int = 1) -> list[Line]:
    """Return the rows that ``lines``, of which the first is line 2, make."""
    reader = CsvReader(columns, from_line=from_line)
    rows = [row for number, line in enumerate(lines, start=2) for row in reader.read(number, line)]
    return [*rows, *reader.end()]


def said(line: Line) -> tuple[int, Any]:
    """Return the line's number with its values, or the code of its fault."""
    fault = line.document
    return (line.number, fault.code if isinstance(fault, FieldError) else list(fault.values()))


ROWS: list[tuple[str, list[bytes], list[tuple[int, Any]]]] = [
    ("plain", [b"Ada,Lovelace"], [(2, ["Ada", "Lovelace"])]),
    (
        "CR LF",
        [b"Ada,Lovelace\r", b"Bob,Stone\r"],
        [(2, ["Ada", "Lovelace"]), (3, ["Bob", "Stone"])],
    ),
    ("quoted comma", [b'"Ada, Countess",Lovelace'], [(2, ["Ada, Countess", "Lovelace"])]),
    ("quoted quotes", [b'"Ada ""A"" B",L'], [(2, ['Ada "A" B', "L"])]),
    ("quoted line break", [b'"Ada', b'B",L', b"C,D"], [(2, ["Ada\nB", "L"]), (4, ["C", "D"])]),
    ("quoted CR LF", [b'"Ada\r', b'B",L\r'], [(2, ["Ada\r\nB", "L"])]),
    ("empty cell is absent", [b"Ada,"], [(2, ["Ada"])]),
    ("blank cell is absent", [b"Ada,  "], [(2, ["Ada"])]),
    ("blank line is no row", [b"", b"  ", b",", b"A,B"], [(5, ["A", "B"])]),
    ("accents", ["Zoë,山田".encode()], [(2, ["Zoë", "山田"])]),
    ("Latin-1", ["Zoë,L".encode("latin-1"), b"A,B"], [(2, "not_utf8"), (3, ["A", "B"])]),
    ("too many cells", [b"Ada,L,x"], [(2, "wrong_number_of_cells")]),
    ("too few cells", [b"Ada"], [(2, "wrong_number_of_cells")]),
    ("quote in a cell", [b'5" pipe,6" pipe'], [(2, ['5" pipe', '6" pipe'])]),
    ("text after a quote", [b'"Ada" x,L', b"A,B"], [(2, "malformed_csv"), (3, ["A", "B"])]),
    ("quote never closed", [b'"Ada,L', b"A,B"], [(2, "malformed_csv"), (3, ["A", "B"])]),
    (
        "two stray quotes swallow no line between them",
        [b'5" pipe,L', b"A,B", b'6" pipe,L', b"C,D"],
        [(2, "malformed_csv"), (3, ["A", "B"]), (4, "malformed_csv"), (5, ["C", "D"])],
    ),
    ("lone CR", [b"A,B\rC,D"], [(2, "malformed_csv")]),
    ("formula made harmless", [b"'=1+1,'--06-14"], [(2, ["=1+1", "--06-14"])]),
    ("apostrophe of a name", [b"'t Hooft,O'Neil"], [(2, ["'t Hooft", "O'Neil"])]),
]


@pytest.mark.parametrize(("lines", "rows"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_row_is_read(lines: list[bytes], rows: list[tuple[int, Any]]) -> None:
    assert [said(row) for row in read(*lines)] == rows


def test_unclosed_quote_costs_its_own_line_only() -> None:
    rows = read(b'"Ada,L', *(b"A,B" for _ in range(100)))
    assert [said(row) for row in rows] == [
        (2, "malformed_csv"),
        *((number, ["A", "B"]) for number in range(3, 103)),
    ]


def test_line_too_long_is_refused_alone() -> None:
    reader = CsvReader(COLUMNS)
    rows = [*reader.read(2, b'"Ada'), *reader.read(3, None), *reader.read(4, b"A,B")]
    assert [said(row) for row in rows] == [
        (2, "malformed_csv"),
        (3, "too_long"),
        (4, ["A", "B"]),
    ]


def test_opt_outs_are_joined_by_semicolons() -> None:
    (row,) = read(b"Ada,birthday; anniversary;", columns=("first_name", "opt_outs"))
    assert row.document == {"first_name": "Ada", "opt_outs": ["birthday", "anniversary"]}


def test_columns_of_an_export_are_known() -> None:
    assert columns_of(b"id,version," + HEADER + b",created_at,changed_at,problem")[0] == "id"


def test_rows_before_a_line_are_passed_over() -> None:
    rows = read(b"A,B", b'"C', b'",D', b"E,F", from_line=4)
    assert [said(row) for row in rows] == [(5, ["E", "F"])]


HEADERS: list[tuple[str, bytes, set[tuple[str, str]]]] = [
    ("unknown", HEADER + b",e-mial", {("unknown_column", "did you mean email?")}),
    ("unknown, like nothing", HEADER + b",x", {("unknown_column", "'x'")}),
    ("twice", HEADER + b",email", {("duplicate_column", "named twice")}),
    (
        "missing",
        b"first_name,last_name",
        {("missing_column", "email"), ("missing_column", "timezone")},
    ),
    ("nothing", b"", {("no_columns", "first line")}),
    ("semicolons", HEADER.replace(b",", b";"), {("wrong_separator", "semicolons")}),
    ("tabs", HEADER.replace(b",", b"\t"), {("wrong_separator", "tabs")}),
    ("UTF-16", HEADER.decode().encode("utf-16"), {("not_utf8", "UTF-16")}),
    ("UTF-16 without mark", HEADER.decode().encode("utf-16-le"), {("not_utf8", "UTF-16")}),
    ("Latin-1", HEADER + b",\xe9", {("not_utf8", "UTF-8")}),
    (
        "other case",
        HEADER.replace(b"email", b"Email"),
        {("unknown_column", "email"), ("missing_column", "email")},
    ),
]


@pytest.mark.parametrize(
    ("line", "faults"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS]
)
def test_header_is_refused(line: bytes, faults: set[tuple[str, str]]) -> None:
    with pytest.raises(Problem) as refused:
        columns_of(line)
    told = [(error.code, error.detail) for error in refused.value.errors]
    assert {code for code, _ in told} == {code for code, _ in faults}
    for code, words in faults:
        assert any(code == one and words in detail for one, detail in told)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(HEADER + b"\r", id="CR LF"),
        pytest.param(b"\xef\xbb\xbf" + HEADER, id="byte order mark"),
        pytest.param(HEADER.replace(b",", b" , "), id="blanks"),
        pytest.param(b'"first_name","last_name","email","timezone"', id="quoted"),
    ],
)
def test_header_is_read(line: bytes) -> None:
    assert list(columns_of(line)) == ["first_name", "last_name", "email", "timezone"]


async def test_header_may_come_in_pieces() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in HEADER + b"\nA,B":
            yield bytes([byte])

    coming = pieces()
    columns, rest = await read_columns(coming)
    reader = CsvReader(("first_name", "last_name"))
    found = [line async for lines in batches(coming, reader, limit=9, first=2) for line in lines]
    assert (len(columns), rest) == (4, b"")
    assert [said(line) for line in found] == [(2, ["A", "B"])]


@given(st.text())
def test_cell_comes_back_as_it_went_out(cell: str) -> None:
    assert as_given(harmless(cell)) == cell


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "--06-14"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@given(st.lists(st.binary(max_size=60), max_size=30))
def test_any_lines_are_read_and_none_is_lost(lines: list[bytes]) -> None:
    """Whatever comes, each line is a row, part of a row, refused, or blank."""
    texts = [line.replace(b"\n", b"") for line in lines]
    rows = read(*texts)
    numbers = [row.number for row in rows]
    assert numbers == sorted(set(numbers))
    for number, text in enumerate(texts, start=2):
        is_alone = b'"' not in b"".join(texts)
        if is_alone and text.strip(b", \r\t\x0b\x0c\x1c\x1d\x1e\x1f\x85"):
            assert number in numbers or not text.decode(errors="ignore").strip(", \r\t\x85\xa0")
