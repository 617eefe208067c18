import threading
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from libs.telemetry import tracing
from libs.telemetry.tracing import (
    configure_tracing,
    current_traceparent,
    is_tracing,
    shutdown_tracing,
    span,
)

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"
OTHER = f"00-{'c' * 32}-{'d' * 16}-01"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    configure_tracing("test", environ={}, processor=SimpleSpanProcessor(exporter))
    yield exporter
    shutdown_tracing()


def finished(exporter: InMemorySpanExporter) -> ReadableSpan:
    (found,) = exporter.get_finished_spans()
    return found


def test_without_an_endpoint_nothing_is_recorded_but_the_trace_is_passed_on() -> None:
    configure_tracing("test", environ={})
    with span("hop", parent=PARENT), span("inner"):
        assert current_traceparent() == PARENT
    assert current_traceparent() is None
    assert not is_tracing()


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1",
            "OTEL_TRACES_EXPORTER": "none",
        },
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    ],
    ids=["SDK disabled", "no exporter", "empty endpoint"],
)
def test_the_standard_switches_turn_recording_off(environ: dict[str, str]) -> None:
    configure_tracing("test", environ=environ)
    assert not is_tracing()


def test_a_span_continues_the_trace_of_its_message(exporter: InMemorySpanExporter) -> None:
    with span("user.registered process", kind="consumer", parent=PARENT):
        inside = current_traceparent()
    found = finished(exporter)
    assert found.parent is not None
    assert f"{found.parent.span_id:016x}" == "b" * 16
    assert inside is not None
    assert inside.startswith(f"00-{'a' * 32}-")
    assert inside != PARENT


def test_a_root_span_begins_a_new_trace(exporter: InMemorySpanExporter) -> None:
    with span("outer"), span("greeting", is_root=True, links=[PARENT, None, "rubbish", PARENT]):
        pass
    greeting = exporter.get_finished_spans()[0]
    assert greeting.parent is None
    assert [f"{link.context.trace_id:032x}" for link in greeting.links] == ["a" * 32]


@pytest.mark.parametrize("parent", ["", "rubbish", f"00-{'0' * 32}-{'b' * 16}-01"])
def test_a_malformed_parent_is_ignored(exporter: InMemorySpanExporter, parent: str) -> None:
    with span("hop", parent=parent):
        pass
    assert finished(exporter).parent is None


def test_an_error_marks_the_span_without_its_text(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Ada"), span("hop", attributes={"items": 3}):
        raise ValueError("Ada Lovelace")
    found = finished(exporter)
    assert found.status.status_code is StatusCode.ERROR
    assert dict(found.attributes or {}) == {"items": 3, "error.type": "ValueError"}
    assert not found.events
    assert "Ada" not in found.to_json()


def test_a_collector_that_hangs_does_not_hold_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = threading.Event()

    class Hanging(SpanProcessor):
        def shutdown(self) -> None:
            released.wait(60)

    monkeypatch.setattr(tracing, "EXPORT_AT_EXIT_S", 0.01)
    configure_tracing("test", environ={}, processor=Hanging())
    shutdown_tracing()
    released.set()
    assert not is_tracing()
