"""HTTP: bounces and complaints, told by providers and signed by a secret we share with them.

``X-Jubilee-Timestamp`` is the moment of signing in Unix seconds, ``X-Jubilee-Signature`` the
HMAC-SHA256 of that number, a dot and the body: ``v1=<hexadecimal>``.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar import Request, Router, post
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import HeaderParameter

from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import PUBLIC
from libs.httpapi.bodies import check_content_type
from libs.httpapi.problems import Problem, standard_problem
from libs.httpapi.refusals import refusing
from libs.postgres.types import Pool
from services.dispatcher.adapters.report_json import read_report_json
from services.dispatcher.adapters.report_mails import (
    MAX_REPORT_BYTES,
    UnreadableReportError,
    read_report_mail,
)
from services.dispatcher.app.take_reports import StaleSignatureError, take_webhook
from services.dispatcher.domain.report import Report

_MAIL = "message/rfc822"
_JSON = "application/json"

Timestamp = Annotated[
    str | None,
    HeaderParameter(name="X-Jubilee-Timestamp", description="When it was signed: Unix seconds."),
]
Signature = Annotated[
    str | None,
    HeaderParameter(
        name="X-Jubilee-Signature",
        description="`v1=` and the hexadecimal HMAC-SHA256 of `<timestamp>.<body>`.",
    ),
]


class ReportSecret(msgspec.Struct, frozen=True):
    """What providers sign their reports with; None where nobody may send any."""

    key: bytes | None


class Taken(msgspec.Struct, frozen=True):
    """What became of the reports in a request."""

    reports: int
    new: int


@dataclass
class ReportOperation(Operation):
    """Documents a body that is read as it is."""

    def __post_init__(self) -> None:
        """Say what the body may be."""
        mail = Schema(type=OpenAPIType.STRING, description="RFC 3464 or RFC 5965, 256 KiB at most.")
        json = Schema(type=OpenAPIType.OBJECT, description="A webhook in Postmark's form.")
        self.request_body = RequestBody(
            required=True,
            content={
                _MAIL: OpenAPIMediaType(schema=mail),
                _JSON: OpenAPIMediaType(schema=json),
            },
        )


@post(
    "/v1/provider-reports",
    guards=[PUBLIC],
    responses=refusing({401: "`unsigned`: no right signature of this moment."}),
    status_code=200,
    tags=["suppressions"],
    operation_class=ReportOperation,
    request_max_body_size=MAX_REPORT_BYTES,
)
async def take_reports(
    *,
    request: Request[Any, Any, Any],
    pool: Provided[Pool],
    clock: Provided[Clock],
    report_secret: Provided[ReportSecret],
    timestamp: Timestamp = None,
    signature: Signature = None,
) -> Taken:
    """Take in a bounce or complaint. One that is known already is taken and changes nothing."""
    body = await request.body()
    signed = _checked(report_secret, timestamp, signature, body)
    check_content_type(request, _MAIL, _JSON)
    reports = _read(request, body)
    try:
        new = await take_webhook(
            pool, reports, signature=signed, signed_at_s=float(timestamp or 0), now=clock.now()
        )
    except StaleSignatureError as error:
        raise _unsigned("sign it anew: this was taken before, or is not of this moment") from error
    return Taken(len(reports), new)


def _checked(
    secret: ReportSecret, timestamp: str | None, signature: str | None, body: bytes
) -> bytes:
    """Return the signature, which is right.

    Raises:
        Problem: 401, it is not, or there is no secret to sign with.
    """
    moment = (timestamp or "").encode("ascii", "replace")
    expected = hmac.new(secret.key or b"", moment + b"." + body, hashlib.sha256).digest()
    given = _bytes_of(signature or "")
    is_right = hmac.compare_digest(expected, given) and moment.isdigit() and len(moment) <= 12
    if secret.key is None or not is_right:
        raise _unsigned("send X-Jubilee-Timestamp and X-Jubilee-Signature")
    return given


def _bytes_of(signature: str) -> bytes:
    version, _, text = signature.partition("=")
    try:
        return bytes.fromhex(text) if version == "v1" else b""
    except ValueError:
        return b""


def _unsigned(detail: str) -> Problem:
    title, headers = "A valid signature is needed", {"WWW-Authenticate": "Jubilee-Signature"}
    return Problem(401, "unsigned", title, detail, headers=headers)


def _read(request: Request[Any, Any, Any], body: bytes) -> list[Report]:
    is_json = "json" in request.headers.get("content-type", "").lower()
    try:
        return read_report_json(body) if is_json else read_report_mail(body)
    except UnreadableReportError as error:
        raise standard_problem(400, "this is no report that could be read") from error


ROUTES = Router("/", route_handlers=[take_reports])
