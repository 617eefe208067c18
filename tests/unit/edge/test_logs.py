import json
import logging
import sys
from typing import Any

import pytest

from libs.telemetry.logs import JsonFormatter, configure_logs
from libs.telemetry.tracing import span

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def line(message: str, *args: object, error: BaseException | None = None, **extra: Any) -> Any:
    logger = logging.getLogger("test")
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logger.makeRecord(
        "test", logging.INFO, "f.py", 1, message, args, exc_info, extra=extra
    )
    text = JsonFormatter("planner").format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_has_a_constant_message_and_facts_as_fields() -> None:
    found = line("plan.released", rows=3, loop="release")
    assert found["event"] == "plan.released"
    assert (found["service"], found["level"], found["rows"]) == ("planner", "info", 3)
    assert found["at"].endswith("Z")


def test_a_fact_cannot_take_the_place_of_a_standard_field() -> None:
    found = line("plan.released", event="other", service="other")
    assert (found["event"], found["event_"], found["service"]) == (
        "plan.released",
        "other",
        "planner",
    )


def test_a_line_inside_of_a_trace_names_it() -> None:
    with span("test", parent=PARENT):
        assert line("plan.released")["trace_id"] == "a" * 32


def test_facts_of_any_type_can_be_logged() -> None:
    assert line("plan.released", what={object})["what"] == ["<class 'object'>"]


def test_addresses_and_passwords_in_others_messages_are_masked() -> None:
    found = line("connecting to %s", "amqp://guest:secret@localhost for ada@example.org")
    assert found["event"] == "connecting to *** for ***"


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        ("duplicate key\nDETAIL: Key (name)=(Ada)", "duplicate key"),
        ("550 <ada@example.org> unknown", "550 *** unknown"),
        ("x" * 1000, "x" * 300),
    ],
    ids=["details of the database", "addresses", "long texts"],
)
def test_an_error_says_what_failed_but_not_for_whom(text: str, logged: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        raise ValueError(text)
    found = line("loop.failed", error=caught.value)["error"]
    assert (found["type"], found["message"]) == ("ValueError", logged)
    assert "test_an_error_says_what_failed" in found["frames"][-1]


def test_an_errors_cause_and_group_are_told() -> None:
    outer = RuntimeError("outer")
    outer.__cause__ = ExceptionGroup("two", [ValueError("one"), OSError("other")])
    cause = line("loop.failed", error=outer)["error"]["cause"]
    assert [inner["type"] for inner in cause["errors"]] == ["ValueError", "OSError"]


def test_an_uncaught_error_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    saved = (root.handlers, root.level, sys.excepthook)
    try:
        configure_logs("planner")
        sys.excepthook(ValueError, ValueError("bad"), None)
    finally:
        root.handlers, root.level, sys.excepthook = saved[0], saved[1], saved[2]
        logging.captureWarnings(False)
    assert json.loads(capsys.readouterr().err)["event"] == "process.failed"
