"""Traces: spans around messages and requests, carried as W3C ``traceparent`` text."""

import os
import re
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracer,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
)

AttributeValue = str | bool | int | float
Attributes = Mapping[str, AttributeValue]

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXPORT_AT_EXIT_S: Final = 2.0
MAX_LINKS: Final = 100
"""Links of one span; a batch may carry more origins than a viewer can use."""

_KINDS: Final = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class _Tracing:
    """The process's tracer. One that records nothing still passes on the trace it was called in."""

    def __init__(self) -> None:
        self.tracer: Tracer = NoOpTracer()
        self.provider: TracerProvider | None = None


_tracing = _Tracing()


def configure_tracing(
    service: str,
    *,
    environ: Mapping[str, str] = os.environ,
    processor: SpanProcessor | None = None,
) -> None:
    """Record spans if the standard ``OTEL_*`` variables name an OTLP endpoint, else none.

    ``OTEL_TRACES_SAMPLER`` samples, ``OTEL_SERVICE_NAME`` overrides ``service``. A ``processor``
    is used instead of exporting.
    """
    shutdown_tracing()
    is_on = any(environ.get(name) for name in ENDPOINTS) and not _is_switched_off(environ)
    if not is_on and processor is None:
        return
    resource = Resource.create({"service.name": environ.get("OTEL_SERVICE_NAME") or service})
    _tracing.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _tracing.provider.add_span_processor(processor or BatchSpanProcessor(_otlp_exporter()))
    _tracing.tracer = _tracing.provider.get_tracer("jubilee")


def shutdown_tracing() -> None:
    """Export what is left, for ``EXPORT_AT_EXIT_S`` at most, and record nothing from now on."""
    provider, _tracing.provider, _tracing.tracer = _tracing.provider, None, NoOpTracer()
    if provider is not None:
        # A collector that is down would hold the process for half a minute of retries.
        last_export = threading.Thread(target=provider.shutdown, name="last export", daemon=True)
        last_export.start()
        last_export.join(EXPORT_AT_EXIT_S)


def is_tracing() -> bool:
    """Whether spans are recorded at all; lets a hot path leave out its attributes."""
    return _tracing.provider is not None


class span:  # noqa: N801 - reads as the verb it is: `with span("plan.release"):`
    """A span around a ``with`` block, which gets the span itself.

    ``parent`` is a ``traceparent``; without one the current span is the parent, with ``is_root``
    there is none. ``links`` are ``traceparent`` texts of causes that lie far back; malformed ones
    are left out. An error marks the span with its type only: its text may name people.
    """

    def __init__(
        self,
        name: str,
        *,
        kind: str = "internal",
        parent: str | None = None,
        links: Sequence[str | None] = (),
        attributes: Attributes | None = None,
        is_root: bool = False,
    ) -> None:
        self._name = name
        self._kind = _KINDS[kind]
        self._parent = parent
        self._links = links
        self._attributes = attributes
        self._is_root = is_root

    def __enter__(self) -> Span:
        self._span = _tracing.tracer.start_span(
            self._name,
            context=self._parent_context(),
            kind=self._kind,
            attributes=self._attributes,
            links=_links(self._links) if self._links and is_tracing() else None,
            record_exception=False,
            set_status_on_exception=False,
        )
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        otel_context.detach(self._token)
        if kind is not None:
            self._span.set_attribute("error.type", kind.__name__)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()

    def _parent_context(self) -> Context | None:
        if self._parent is not None and (parent := _parsed(self._parent)) is not None:
            return trace.set_span_in_context(NonRecordingSpan(parent), Context())
        return Context() if self._is_root else None


def current_traceparent() -> str | None:
    """Return the W3C ``traceparent`` of the current span, None outside of any trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def current_ids() -> tuple[str, str] | None:
    """Return the current trace's and span's ids in hex, None outside of any trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def _parsed(traceparent: str) -> SpanContext | None:
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    flags = TraceFlags(int(match[3], 16))
    context = SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=flags)
    return context if context.is_valid else None


def _links(traceparents: Sequence[str | None]) -> list[trace.Link]:
    known = dict.fromkeys(text for text in traceparents if text)
    contexts = (_parsed(text) for text in list(known)[:MAX_LINKS])
    return [trace.Link(context) for context in contexts if context is not None]


def _is_switched_off(environ: Mapping[str, str]) -> bool:
    return (
        environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or environ.get("OTEL_TRACES_EXPORTER", "otlp").lower() == "none"
    )


def _otlp_exporter() -> SpanExporter:
    # Imported late: it costs 40 ms and most processes on a developer's machine never export.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()
