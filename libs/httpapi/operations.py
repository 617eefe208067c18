"""What operators ask every process: is it alive, is it ready, what does it count."""

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from libs.httpapi.auth import PUBLIC
from libs.runtime.health import Health, Report
from libs.telemetry.metrics import exposition


def operations_routes(health: Health) -> list[HTTPRouteHandler]:
    """Return ``/health/live``, ``/health/ready`` and ``/metrics``, which need no key."""

    @get("/health/live", guards=[PUBLIC], include_in_schema=False)
    async def live() -> Response[Report]:
        return _answer(await health.live())

    @get("/health/ready", guards=[PUBLIC], include_in_schema=False)
    async def ready() -> Response[Report]:
        return _answer(await health.ready())

    @get("/metrics", guards=[PUBLIC], include_in_schema=False)
    async def metrics() -> Response[bytes]:
        body, content_type = exposition()
        return Response(body, media_type=content_type, headers=_NOT_STORED)

    return [live, ready, metrics]


def _answer(report: Report) -> Response[Report]:
    return Response(report, status_code=200 if report.is_ok else 503, headers=_NOT_STORED)


_NOT_STORED = {"Cache-Control": "no-store"}
