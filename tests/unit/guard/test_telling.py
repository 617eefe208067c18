from datetime import UTC, datetime

import msgspec
import pytest

from tests.guard.__main__ import tell
from tests.guard.cost import Cost, Counts, Cpu
from tests.guard.record import Record, load
from tests.guard.verdict import Grounds

HERE = Grounds(python="3.11", postgresql="15", processor="Xeon")
COST = Cost(
    Counts(calls=100.0, statements=0.02, pages=12.0, rows_read=1.0, rows_written=3.0),
    Cpu(python=10.0, server=6.0, python_ms=3.5, server_ms=3.5),
    disk_bytes=600.0,
)
RECORD = Record(datetime(2027, 3, 8, tzinfo=UTC), HERE, {}, {"deliver": COST})


def told(cost: Cost, capsys: pytest.CaptureFixture[str], hop: str = "deliver") -> tuple[int, str]:
    status = tell({hop: cost}, RECORD, ["calls", "cpu"])
    return status, capsys.readouterr().out


def test_a_failure_says_which_hop_by_how_much_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dear = msgspec.structs.replace(COST, counts=msgspec.structs.replace(COST.counts, calls=140.0))
    status, text = told(dear, capsys)
    assert status == 1
    assert "deliver: calls 100 -> 140 (+40%)" in text
    assert 'make bench-guard ARGS="--profile deliver"' in text
    assert "make bench-guard ARGS=--record" in text


def test_what_became_cheaper_asks_for_a_record_and_passes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cheap = msgspec.structs.replace(COST, cpu=msgspec.structs.replace(COST.cpu, python=4.0))
    status, text = told(cheap, capsys)
    assert status == 0
    assert "worth a new record" in text


def test_a_hop_without_a_record_fails(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = told(COST, capsys, hop="new")
    assert status == 1
    assert "not both measured and recorded: new" in text


def test_what_is_recorded_can_be_read() -> None:
    assert load() is not None
