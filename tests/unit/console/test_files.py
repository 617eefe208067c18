"""Files an import reads, and what it keeps beside them."""

import io
from pathlib import Path

import pytest

from services.console.errors import CommandError
from services.console.files import LinesByNumber, format_of, measure, without_problem
from services.console.journal import Journal, Place
from services.console.progress import Progress
from services.console.rejected import Rejected

HEADER = b"email,first_name\r\n"


def a_file(folder: Path, content: bytes, name: str = "people.csv") -> Path:
    """Return a file that holds ``content``."""
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param(b"", 0, id="empty"),
        pytest.param(b"a\nb\n", 2, id="ended"),
        pytest.param(b"a\nb", 2, id="last line not ended"),
    ],
)
def test_lines_are_counted(tmp_path: Path, content: bytes, lines: int) -> None:
    assert measure(a_file(tmp_path, content)).lines == lines


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        measure(tmp_path / "none.csv")


def test_format_is_told_by_the_name_or_the_caller() -> None:
    assert format_of(Path("x.CSV"), None) == "csv"
    assert format_of(Path("x.jsonl"), None) == "ndjson"
    assert format_of(Path("x.txt"), "csv") == "csv"
    with pytest.raises(CommandError, match="--format"):
        format_of(Path("x.txt"), None)


def test_lines_are_found_by_number(tmp_path: Path) -> None:
    path = a_file(tmp_path, b"\xef\xbb\xbf" + HEADER + b'a@x,A\r\n\r\n"b@x","B\nC"\nd@x,D')
    source = LinesByNumber(path, form="csv")
    assert source.columns == ["email", "first_name"]
    assert source.find(2) == b"a@x,A"
    assert source.cells(source.find(4)) == {"email": "b@x", "first_name": "B\nC"}
    assert source.find(6) == b"d@x,D"
    source.close()


def test_quote_that_is_never_closed_stays_on_its_line(tmp_path: Path) -> None:
    path = a_file(tmp_path, HEADER + b'"a@x,A\n' + b"b@x,B\n" * 40)
    source = LinesByNumber(path, form="csv")
    assert source.find(2) == b'"a@x,A'
    assert source.find(3) == b"b@x,B"
    source.close()


def test_rejected_row_keeps_its_cells_behind_its_problem(tmp_path: Path) -> None:
    path = a_file(tmp_path, HEADER + b"a@x,A,one too many\n")
    source, rejected = LinesByNumber(path, form="csv"), Rejected(path, form="csv")
    rejected.add(source.find(2), 'has "3" cells, not 2', source)
    rejected.close()
    source.close()
    assert rejected.path.read_bytes() == (
        b'problem,email,first_name\n"has ""3"" cells, not 2",a@x,A,one too many\n'
    )


def test_mended_file_loses_its_old_problems(tmp_path: Path) -> None:
    path = a_file(tmp_path, b'problem,email\n"old, ""problem""",a@x\n')
    source, rejected = LinesByNumber(path, form="csv"), Rejected(path, form="csv")
    rejected.add(source.find(2), "new", source)
    rejected.close()
    source.close()
    assert rejected.path.read_bytes() == b"problem,email\nnew,a@x\n"


@pytest.mark.parametrize("line", [b"x,a@x", b'"x, ""y""",a@x', b",a@x"])
def test_only_the_problem_is_taken_off(line: bytes) -> None:
    assert without_problem(b"problem,email", line) == b"a@x"
    assert without_problem(b"email,problem", line) == line


def test_rejected_line_of_json_carries_its_problem(tmp_path: Path) -> None:
    path = a_file(tmp_path, b'{"problem":"old","email":"a"}\n{"email"\n', "people.ndjson")
    source, rejected = LinesByNumber(path, form="ndjson"), Rejected(path, form="ndjson")
    for number in (1, 2):
        rejected.add(source.find(number), "new", source)
    rejected.close()
    source.close()
    assert rejected.path.read_bytes().splitlines() == [
        b'{"problem":"new","email":"a"}',
        b'{"problem":"new","line":"{\\"email\\""}',
    ]


def test_nothing_is_written_where_nothing_was_rejected(tmp_path: Path) -> None:
    path = a_file(tmp_path, HEADER)
    (tmp_path / "people.csv.rejected.csv").write_bytes(b"of an earlier import")
    Rejected(path, form="csv").close()
    assert [one.name for one in tmp_path.iterdir()] == ["people.csv"]


def test_what_was_written_after_the_last_note_is_cut_off(tmp_path: Path) -> None:
    path = a_file(tmp_path, HEADER + b"a@x,A\n")
    source, first = LinesByNumber(path, form="csv"), Rejected(path, form="csv")
    first.add(b"a@x,A", "one", source)
    noted = first.kept_bytes
    first.add(b"b@x,B", "two", source)
    first.close()
    again = Rejected(path, form="csv", kept_bytes=noted)
    again.add(b"b@x,B", "two", source)
    again.close()
    source.close()
    assert again.path.read_bytes().splitlines() == [
        b"problem,email,first_name",
        b"one,a@x,A",
        b"two,b@x,B",
    ]


def test_place_is_only_good_for_the_file_as_it_was(tmp_path: Path) -> None:
    path = a_file(tmp_path, HEADER)
    journal = Journal(path)
    with pytest.raises(CommandError, match="does not tell"):
        journal.read(measure(path))
    place = Place(measure(path).digest, 7, {"created": 5}, 0)
    journal.write(place)
    assert journal.read(measure(path)) == place
    path.write_bytes(HEADER + b"x")
    with pytest.raises(CommandError, match="has changed"):
        journal.read(measure(path))


class Terminal(io.StringIO):
    """Something that looks like a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_bar_is_drawn_on_a_terminal_and_taken_away() -> None:
    out = Terminal()
    progress = Progress(out, total=200)
    progress.show(50, "2 rejected")
    progress.clear()
    drawn, rest = out.getvalue().removeprefix("\r\x1b[K").split("\r\x1b[K")
    assert "25%  50 of 200" in drawn
    assert "2 rejected" in drawn
    assert rest == ""


def test_nothing_is_drawn_into_a_file() -> None:
    out = io.StringIO()
    progress = Progress(out, total=200)
    progress.show(50)
    progress.clear()
    assert out.getvalue() == ""
