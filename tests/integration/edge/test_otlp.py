import asyncio

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.telemetry.tracing import configure_tracing, shutdown_tracing, span


async def test_spans_reach_the_collector_the_standard_variable_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies: list[bytes] = []

    async def collect(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", collect)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    configure_tracing("planner")
    with span("plan.release"):
        pass
    await asyncio.to_thread(shutdown_tracing)
    await runner.cleanup()
    (received,) = ExportTraceServiceRequest.FromString(bodies[0]).resource_spans
    assert received.scope_spans[0].spans[0].name == "plan.release"
    names = {a.key: a.value.string_value for a in received.resource.attributes}
    assert names["service.name"] == "planner"
