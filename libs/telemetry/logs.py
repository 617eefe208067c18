"""Logs as JSON lines on stderr: a constant message, facts as fields."""

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

import msgspec

from libs.telemetry.tracing import current_ids

MAX_ERROR_CHARACTERS: Final = 300

_LOUD_LIBRARIES: Final = (
    "aio_pika",
    "aiormq",
    "asyncio",
    "faststream",
    "httpx",
    "opentelemetry",
    "uvicorn",
)
_STANDARD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_WITH_AT_SIGN: Final = re.compile(r"\S+@\S+")

_encoder = msgspec.json.Encoder(enc_hook=str)


def configure_logs(service: str, *, level: int = logging.INFO) -> None:
    """Send every log line of this process to stderr as JSON, and uncaught errors too.

    Libraries speak from WARNING on. Calling it again replaces what the first call set.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # Its warnings are one per retry; that the spans were lost is an error, and said once.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught


class JsonFormatter(logging.Formatter):
    """One JSON object per record: when, how grave, who, what, the trace, and its own fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without line breaks inside."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "service": self._service,
            "event": masked(record.getMessage()),
            "logger": record.name,
        }
        if ids := current_ids():
            line["trace_id"], line["span_id"] = ids
        for name, fact in vars(record).items():
            if name not in _STANDARD_FIELDS:
                line[name if name not in line else f"{name}_"] = fact
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = described_error(record.exc_info[1])
        return _encoder.encode(line).decode()


def described_error(error: BaseException) -> dict[str, Any]:
    """Return an error's type, masked first line, frames and cause.

    Only the first line: a database puts the offending row's values into the following ones.
    """
    frames = traceback.extract_tb(error.__traceback__)
    described: dict[str, Any] = {
        "type": type(error).__name__,
        "message": masked(str(error).partition("\n")[0])[:MAX_ERROR_CHARACTERS],
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, BaseExceptionGroup):
        described["errors"] = [described_error(inner) for inner in error.exceptions]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["cause"] = described_error(cause)
    return described


def masked(text: str) -> str:
    """Return ``text`` without e-mail addresses and without URLs that carry a password."""
    return _WITH_AT_SIGN.sub("***", text) if "@" in text else text


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger("process").critical("process.failed", exc_info=(kind, error, trace))
