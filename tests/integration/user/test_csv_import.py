"""People from a spreadsheet: mistakes are told by line and column, and can be mended."""

from typing import Any

import pytest

from services.user.adapters.store import Store
from tests.integration.user.asking import count
from tests.integration.user.conftest import Answer, Client

PATH = "/v1/users/import"
HEADER = "external_id,first_name,last_name,email,timezone,birthday,opt_outs"


async def imported(client: Client, *rows: str, query: str = "", header: str = HEADER) -> Answer:
    """Return the answer to an import of ``rows`` under ``header``."""
    body = "\r\n".join([header, *rows, ""]).encode()
    return await client.ask("POST", f"{PATH}{query}", data=body, Content_Type="text/csv")


def told(answer: Answer) -> list[tuple[int, str, Any]]:
    """Return line, status and the pointers and codes of the faults of each outcome."""
    return [
        (
            one["line"],
            one["status"],
            [(error["pointer"], error["code"]) for error in one.get("errors", ())],
        )
        for one in answer.lines
    ]


async def test_rows_become_people(client: Client) -> None:
    answer = await imported(
        client,
        "1,Ada,Lovelace,ada@example.com,europe/london,1990-06-14,",
        '2,"Zoë, Dr.",山田,zoe@example.com,Asia/Tokyo,--02-29,birthday;anniversary',
    )
    assert told(answer) == [(2, "created", []), (3, "created", [])]
    paths = [f"/v1/users/{one['id']}" for one in answer.lines]
    ada, zoe = [(await client.ask("GET", path)).json for path in paths]
    assert (ada["timezone"], ada["birthday"], ada["opt_outs"]) == (
        "Europe/London",
        "1990-06-14",
        [],
    )
    assert (zoe["first_name"], zoe["last_name"]) == ("Zoë, Dr.", "山田")
    assert (zoe["birthday"], zoe["opt_outs"]) == ("--02-29", ["anniversary", "birthday"])


async def test_every_mistake_has_its_line_column_and_advice(client: Client, store: Store) -> None:
    answer = await imported(
        client,
        "1,Ada,Lovelace,ada@example.com,Europe/Berln,1990-06-14,",
        "2,,Stone,bob@,Europe/Berlin,1990-02-30,",
        "3,Carl,Gauss,carl@example.com,Europe/Berlin,14.06.1990,birthdays",
        "4,Dora,Maar,dora@example.com,Europe/Paris,1999-11-22,,,",
        "5,Emil,Nolde,emil@example.com,Europe/Berlin,1990-08-07,",
        "6,Eva,Nolde,EMIL@example.com,Europe/Berlin,1990-08-07,",
    )
    assert told(answer) == [
        (2, "failed", [("/timezone", "unknown_time_zone")]),
        (
            3,
            "failed",
            [
                ("/email", "invalid_email"),
                ("/birthday", "invalid_date"),
                ("/first_name", "missing"),
            ],
        ),
        (4, "failed", [("/birthday", "invalid_date"), ("/opt_outs/0", "unknown_kind")]),
        (5, "failed", [("", "wrong_number_of_cells")]),
        (6, "created", []),
        (7, "failed", [("/email", "email_taken")]),
    ]
    assert answer.lines[0]["errors"][0]["detail"].endswith("did you mean Europe/Berlin?")
    assert await count(store, "people") == 1


async def test_mended_file_can_be_sent_whole(client: Client) -> None:
    good = "1,Ada,Lovelace,ada@example.com,Europe/London,1990-06-14,"
    await imported(client, good, "2,Bob,Stone,bob@example.com,Europe/Londn,,")
    answer = await imported(client, good, "2,Bob,Stone,bob@example.com,Europe/London,,")
    assert told(answer) == [(2, "unchanged", []), (3, "created", [])]


async def test_file_goes_on_at_a_line(client: Client) -> None:
    rows = [f"{n},Ada,L,a{n}@example.com,Asia/Tokyo,," for n in range(2, 10)]
    answer = await imported(client, *rows, query="?from_line=8")
    assert [one["line"] for one in answer.lines] == [8, 9]


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        pytest.param(HEADER + ",e-mial", "unknown_column", "did you mean email?", id="unknown"),
        pytest.param("first_name,last_name", "missing_column", "email", id="missing"),
        pytest.param(HEADER.replace(",", ";"), "wrong_separator", "semicolons", id="separator"),
    ],
)
async def test_file_without_usable_columns_is_refused(
    client: Client, header: str, code: str, words: str
) -> None:
    answer = await imported(client, "x" * 100_000, header=header)
    assert (answer.status, answer.code) == (422, "validation_failed")
    (error, *_) = answer.json["errors"]
    assert (error["code"], words in error["detail"]) == (code, True)


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\xff\xfef\x00"])
async def test_file_that_is_no_table_is_refused(client: Client, body: bytes) -> None:
    answer = await client.ask("POST", PATH, data=body, Content_Type="text/csv")
    assert (answer.status, answer.code) == (422, "validation_failed")


async def test_table_without_rows_gives_nothing(client: Client) -> None:
    answer = await imported(client)
    assert (answer.status, answer.body) == (200, b"")
