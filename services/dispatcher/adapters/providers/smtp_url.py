"""The SMTP provider's URL: which server, how to log in, how connections are kept."""

from typing import Annotated, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from libs.settings import Positive

StartTls = Literal["auto", "required", "never"]


class SmtpUrlError(ValueError):
    """The provider's URL cannot be read or used; the text says what to write."""


class SmtpServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send and how, as the URL says.

    ``mails`` is how many go over one connection before it is given up, ``idle_s`` how long one
    without work is kept: less than the server keeps it. ``opening_s`` and ``envelope_s`` limit what
    comes before the mail itself; None stands for the provider's whole time-out.
    """

    host: str
    port: int
    is_tls: bool = False
    start_tls: StartTls = "auto"
    username: str | None = None
    password: str | None = None
    connections: int = 8
    mails: int = 200
    idle_s: float = 20.0
    opening_s: float | None = None
    envelope_s: float | None = None
    lookup: str | None = None
    ca: str | None = None


class _Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    connections: Annotated[int, Positive] | msgspec.UnsetType = msgspec.UNSET
    mails: Annotated[int, Positive] | msgspec.UnsetType = msgspec.UNSET
    idle_s: Annotated[float, Positive] | msgspec.UnsetType = msgspec.UNSET
    opening_s: Annotated[float, Positive] | msgspec.UnsetType = msgspec.UNSET
    envelope_s: Annotated[float, Positive] | msgspec.UnsetType = msgspec.UNSET
    lookup: str | msgspec.UnsetType = msgspec.UNSET
    ca: str | msgspec.UnsetType = msgspec.UNSET
    starttls: StartTls | msgspec.UnsetType = msgspec.UNSET


def read_smtp_url(url: str) -> SmtpServer:
    """Read ``smtp[s]://[user:password@]host[:port][?option=value&…]``.

    The options are ``connections``, ``mails``, ``idle_s``, ``opening_s``, ``envelope_s``,
    ``lookup``, ``ca`` and ``starttls``. With credentials ``starttls`` is ``required`` unless the
    URL says otherwise.

    Raises:
        SmtpUrlError: it has another form.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise SmtpUrlError("give smtp://host:port or smtps://host:port")
    try:
        options = msgspec.convert(dict(parse_qsl(parts.query)), _Options, strict=False)
    except msgspec.ValidationError as error:
        raise SmtpUrlError(f"the SMTP URL's options: {error}") from error
    given = msgspec.to_builtins(options)
    start_tls: StartTls = given.pop("starttls", "required" if parts.username else "auto")
    is_tls = parts.scheme == "smtps"
    return SmtpServer(
        host=parts.hostname,
        port=parts.port or (465 if is_tls else 25),
        is_tls=is_tls,
        start_tls=start_tls,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password or "") if parts.username else None,
        **given,
    )
