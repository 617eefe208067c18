"""The console's work with files, as a command of its own against the real API."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from libs.clock import FrozenClock
from libs.httpapi.keys import SCOPES, ApiKeys
from libs.httpapi.keys import new_key as new_api_key
from services.user.adapters.store import Store
from tests.integration.user.asking import count, registered
from tests.integration.user.conftest import serving_api
from tests.support.people import a_document

HEADER = "external_id,first_name,last_name,email,timezone,birthday\n"
KEY, TOKEN = new_api_key("console", SCOPES)


class Ran(msgspec.Struct, frozen=True):
    """How a command ended, and what it said."""

    status: int | None
    out: list[str]
    errors: list[str]


class Console:
    """Runs commands against one API."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self._url = url

    async def start(self, *arguments: str, token: str = TOKEN) -> asyncio.subprocess.Process:
        """Return a command that has begun, in a folder of its own."""
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "JUBILEE_API_KEY": token,
            "JUBILEE_USER_URL": self._url,
            "JUBILEE_PLANNER_URL": "http://127.0.0.1:9",
            "JUBILEE_DISPATCHER_URL": "http://127.0.0.1:9",
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.console",
            *arguments,
            cwd=self.folder,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, token: str = TOKEN) -> Ran:
        """Return how a command ended."""
        process = await self.start(*arguments, token=token)
        async with asyncio.timeout(60):
            out, errors = await process.communicate()
        return Ran(process.returncode, out.decode().splitlines(), errors.decode().splitlines())

    def write(self, name: str, rows: Sequence[str]) -> None:
        """Write a table of people."""
        (self.folder / name).write_text(HEADER + "".join(f"{row}\n" for row in rows), "utf-8")

    def read(self, name: str) -> list[str]:
        """Return the lines of a file."""
        return (self.folder / name).read_text("utf-8").splitlines()

    @property
    def files(self) -> set[str]:
        """The names of the files there."""
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
async def console(store: Store, clock: FrozenClock, tmp_path: Path) -> AsyncIterator[Console]:
    """Yield a console for an empty database."""
    async with serving_api(store, clock, ApiKeys([KEY])) as url:
        yield Console(url, tmp_path)


async def test_file_with_mistakes_is_mended_by_its_messages(console: Console, store: Store) -> None:
    console.write(
        "people.csv",
        [
            "1,Ada,Lovelace,ada@example.com,Europe/London,1990-06-14",
            "2,Bob,Stone,bob@example.com,Europe/Berln,1990-06-14",
            "3,Eve,,eve@example.com,Asia/Tokyo,2023-02-29",
        ],
    )
    dry = await console.run("import", "people.csv", "--dry-run")
    assert (dry.status, dry.out[-2]) == (1, "1 without a fault, 2 rejected")
    assert await count(store, "people") == 0
    first = await console.run("import", "people.csv")
    assert first.status == 1
    assert first.out[0] == (
        "line 3, column timezone ('Europe/Berln'): must be an IANA time zone name such as"
        " Europe/Berlin; did you mean Europe/Berlin?"
    )
    assert "1 registered, 2 rejected" in first.out
    assert console.files == {"people.csv", "people.csv.rejected.csv"}
    mended = (console.folder / "people.csv.rejected.csv").read_text("utf-8")
    for wrong, right in (
        (",Europe/Berln", ",Europe/Berlin"),
        ("Eve,,", "Eve,Moss,"),
        (",2023-02-29", ",2024-02-29"),
    ):
        mended = mended.replace(wrong, right)
    (console.folder / "mended.csv").write_text(mended, "utf-8")
    again = await console.run("import", "mended.csv")
    assert (again.status, again.out) == (0, ["2 registered"])
    whole = await console.run("import", "people.csv")
    assert whole.out[-2:-1] == ["1 registered before, 2 rejected"]
    assert await count(store, "people") == 3


MENDED = {
    "America/New York": "America/New_York",
    "Europe/Berln": "Europe/Berlin",
    "linus@example,": "linus@example.com,",
    "1985-02-30": "1985-02-28",
    "crm-7,,": "crm-7,Chidi,",
    "1990-01-01": "2015-01-01",
    "14.07.1988,,birthdays": "1988-07-14,,birthday",
    "ADA@example": "ada.byron@example",
    "Bengaluru, Karnataka": '"Bengaluru, Karnataka"',
}


async def test_sample_of_the_documentation_can_be_mended(console: Console, store: Store) -> None:
    sample = Path(__file__).parents[3] / "docs" / "samples" / "people.csv"
    text = sample.read_text("utf-8")
    (console.folder / "people.csv").write_text(text, "utf-8")
    first = await console.run("import", "people.csv")
    assert first.out[-2] == "3 registered, 9 rejected"
    rejected = (console.folder / "people.csv.rejected.csv").read_text("utf-8")
    for wrong, right in MENDED.items():
        assert wrong in rejected
        rejected = rejected.replace(wrong, right)
    (console.folder / "mended.csv").write_text(rejected, "utf-8")
    assert (await console.run("import", "mended.csv")).out == ["9 registered"]
    assert await count(store, "people") == 12


async def test_import_killed_midway_goes_on_where_it_was(console: Console, store: Store) -> None:
    rows = [f"{n},Ada,L,a{n}@example.com,Asia/Tokyo,1990-06-14" for n in range(15_000)]
    for wrong in (10, 7_000, 14_990):
        rows[wrong] += ",too many"
    console.write("people.csv", rows)
    process = await console.start("import", "people.csv")
    async with asyncio.timeout(60):
        while await asyncio.sleep(0.02, "people.csv.progress" not in console.files):
            assert process.returncode is None
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    before = await count(store, "people")
    resumed = await console.run("import", "people.csv", "--resume")
    assert resumed.status == 1, resumed
    assert await count(store, "people") == 14_997
    assert before < 14_997
    rejected = console.read("people.csv.rejected.csv")
    assert [line.partition(":")[0] for line in rejected[1:]] == [
        "line 12",
        "line 7002",
        "line 14992",
    ]
    assert console.files == {"people.csv", "people.csv.rejected.csv"}


async def test_interrupted_import_says_how_to_go_on(console: Console) -> None:
    rows = [f"{n},Ada,L,a{n}@example.com,Asia/Tokyo,1990-06-14" for n in range(15_000)]
    console.write("people.csv", rows)
    process = await console.start("import", "people.csv")
    async with asyncio.timeout(60):
        while await asyncio.sleep(0.02, "people.csv.progress" not in console.files):
            assert process.returncode is None
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert process.returncode == 130
    assert b"--resume goes on there" in errors
    (console.folder / "people.csv").write_text("other", "utf-8")
    changed = await console.run("import", "people.csv", "--resume")
    assert (changed.status, "has changed" in changed.errors[0]) == (2, True)


async def test_export_can_be_imported_and_is_never_half_a_file(
    console: Console, store: Store
) -> None:
    for number in range(5):
        await registered(store, external_id=str(number), birthday="--06-14")
    exported = await console.run("export", "all.csv")
    assert (exported.status, exported.out) == (0, ["5 people in all.csv"])
    lines = console.read("all.csv")
    assert len(lines) == 6
    assert (await console.run("import", "all.csv")).out == ["5 registered before"]
    part = "\n".join(lines[:3]) + "\n" + lines[3][:20]
    (console.folder / "again.csv.part").write_text(part, "utf-8")
    resumed = await console.run("export", "again.csv", "--resume")
    assert (resumed.status, console.read("again.csv")) == (0, lines)
    assert (await console.run("export", "all.ndjson")).status == 0
    text = console.read("all.ndjson")
    (console.folder / "again.ndjson.part").write_text(text[0] + "\n" + text[1][:9], "utf-8")
    await console.run("export", "again.ndjson", "--resume")
    assert console.read("again.ndjson") == text


@pytest.mark.edge_case("EC-SEC-004")
async def test_names_of_files_are_the_operators_alone(console: Console, store: Store) -> None:
    """Neither a person's data nor the service's answer names a file; none is overwritten."""
    await registered(store, first_name="../../evil", external_id="../../evil")
    await console.run("export", "all.csv")
    kept = await console.run("export", "all.csv")
    assert (kept.status, "is there already" in kept.errors[0]) == (2, True)
    missing = await console.run("export", "no/such/folder.csv")
    assert (missing.status, "there is no folder" in missing.errors[0]) == (2, True)
    assert console.files == {"all.csv"}


async def test_events_are_printed_a_line_each(console: Console, store: Store) -> None:
    people = [await registered(store) for _ in range(3)]
    told = await console.run("events", "--type", "user.registered.v1")
    assert [msgspec.json.decode(line)["subject"] for line in told.out] == [
        str(person.id) for person in people
    ]
    position = told.errors[-1].rpartition(" ")[2]
    assert (await console.run("events", "--after", position)).out == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        pytest.param(["frobnicate"], 2, "invalid choice", id="no such command"),
        pytest.param(["import", "none.csv"], 2, "No such file", id="no such file"),
        pytest.param(["import", "people.txt"], 2, "--format", id="unknown format"),
        pytest.param(["import", "a.csv", "--resume"], 2, "cannot read", id="nothing to resume"),
        pytest.param(["export", "x.csv", "--resume"], 2, "there is no", id="no part"),
        pytest.param(["pause"], 2, "--everything", id="pause of what"),
        pytest.param(["pauses"], 3, "does not answer", id="unreachable"),
        pytest.param(["explain", "ada@example.com", "birthday"], 2, "nobody", id="nobody"),
    ],
)
async def test_failure_has_a_sentence_and_a_status(
    console: Console, arguments: list[str], status: int, words: str
) -> None:
    ran = await console.run(*arguments)
    assert (ran.status, ran.out) == (status, [])
    assert words in "\n".join(ran.errors)


async def test_refusal_of_the_service_is_told(console: Console) -> None:
    (console.folder / "people.csv").write_text("first_name;e-mail\n", "utf-8")
    ran = await console.run("import", "people.csv")
    assert (ran.status, ran.errors[-1]) == (
        3,
        "the columns are separated by semicolons, not by commas",
    )
    console.write("people.csv", [])
    denied = await console.run("import", "people.csv", token="console.wrong")
    assert (denied.status, "API key" in denied.errors[0]) == (3, True)
    assert console.files == {"people.csv"}


async def test_lines_of_json_are_imported_too(console: Console, store: Store) -> None:
    lines = [msgspec.json.encode(a_document()), b"{", msgspec.json.encode(a_document(nick="x"))]
    (console.folder / "people.ndjson").write_bytes(b"\n".join(lines))
    ran = await console.run("import", "people.ndjson")
    assert ran.status == 1
    assert "1 registered, 2 rejected" in ran.out
    assert len(console.read("people.ndjson.rejected.ndjson")) == 2
    assert await count(store, "people") == 1
