"""An SMTP server that takes mails, speaks TLS, asks for logins, and errs where it is told to."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.dispatcher.providers import port_of

CUT = b"cut"
"""In place of a reply: hang up."""

OK = b"250 2.0.0 OK\r\n"
_USUAL = {
    "greeting": b"220 test ESMTP\r\n",
    "STAR": b"220 go ahead\r\n",
    "MAIL": OK,
    "RCPT": OK,
    "DATA": b"354 go ahead\r\n",
    "RSET": OK,
    "end": b"250 2.0.0 taken\r\n",
    "QUIT": b"221 bye\r\n",
}


class Script(msgspec.Struct, kw_only=True):
    """How the server behaves.

    ``replies`` are used up, a list for each step, before the usual ones. A reply may hold ``CUT``:
    what stands before it is said, then the connection is cut. ``cut_in_text_after``
    is how many bytes of one text are read before a cut. ``drips`` sends replies byte by byte.
    """

    replies: dict[str, list[bytes]] = msgspec.field(default_factory=dict)
    delays_s: dict[str, float] = msgspec.field(default_factory=dict)
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 10485760")
    cut_in_text_after: int | None = None
    drips: bool = False
    tls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None


class SmtpServer:
    """What arrived, and the commands that came before it."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.port = 0
        self.taken: list[bytes] = []
        self.envelopes: list[bytes] = []
        self.commands: list[bytes] = []
        self.connections = 0
        self.announced_early = 0
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, _Cut):
            await _Client(self, reader, writer).serve()
        writer.close()


class _Cut(Exception):  # noqa: N818
    pass


class _Client:
    def __init__(
        self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._script = server.script
        self._reader = reader
        self._writer = writer
        self._is_encrypted = writer.get_extra_info("ssl_object") is not None
        self._has_sender = False
        self._has_recipient = False

    async def serve(self) -> None:
        await self._say("greeting")
        while line := await self._reader.readline():
            self._server.commands.append(line.rstrip())
            await self._obey(line.rstrip(), line[:4].decode().upper())

    async def _obey(self, line: bytes, verb: str) -> None:
        match verb:
            case "EHLO":
                await self._say("EHLO", self._offers())
            case "AUTH":
                await self._log_in(line)
            case "STAR":
                await self._say("STAR")
                assert self._script.tls is not None
                await self._writer.start_tls(self._script.tls)
                self._is_encrypted = True
            case "MAIL" | "RSET" | "QUIT":
                if verb == "QUIT":
                    self._server.left.set()
                self._has_recipient = False
                said = await self._say(verb)
                self._has_sender = verb == "MAIL" and said.startswith(b"2")
            case "RCPT":
                said = await self._say("RCPT", OK if self._has_sender else b"503 MAIL first\r\n")
                self._has_recipient = said.startswith(b"2")
                self._server.envelopes += [line] if self._has_recipient else []
            case "DATA":
                usual = _USUAL["DATA"] if self._has_recipient else b"554 nobody\r\n"
                if (await self._say("DATA", usual)).startswith(b"354"):
                    await self._take()
            case _:
                await self._write(b"502 what?\r\n")

    async def _take(self) -> None:
        if self._script.cut_in_text_after is not None:
            await self._reader.readexactly(self._script.cut_in_text_after)
            self._script.cut_in_text_after = None
            raise _Cut
        text = b""
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                raise _Cut
            text += line.removeprefix(b".")
        self._has_sender = False
        self._server.announced_early += b"MAIL" in self._reader._buffer  # type: ignore[attr-defined]
        await self._say("end", taken=text)

    async def _log_in(self, line: bytes) -> None:
        assert self._script.login is not None
        user, password = (part.encode() for part in self._script.login)
        words = line.split()
        if words[1].upper() == b"PLAIN":
            is_right = base64.b64decode(words[2]) == b"\0" + user + b"\0" + password
        else:
            given = []
            for question in (b"Username:", b"Password:"):
                await self._write(b"334 " + base64.b64encode(question) + b"\r\n")
                given.append(base64.b64decode((await self._reader.readline()).strip()))
            is_right = given == [user, password]
        await self._write(b"235 welcome\r\n" if is_right else b"535 5.7.8 no\r\n")

    def _offers(self) -> bytes:
        words = ["test", *self._script.extensions]
        if self._script.tls is not None and not self._is_encrypted:
            words = [word for word in words if not word.startswith("AUTH")] + ["STARTTLS"]
        lines = [f"250-{word}\r\n" for word in words[:-1]] + [f"250 {words[-1]}\r\n"]
        return "".join(lines).encode()

    async def _say(self, step: str, usual: bytes = b"", *, taken: bytes | None = None) -> bytes:
        left = self._script.replies.get(step)
        reply = left.pop(0) if left else usual or _USUAL[step]
        await asyncio.sleep(self._script.delays_s.get(step, 0.0))
        if taken is not None and reply.startswith(b"2"):
            self._server.taken.append(taken)
        said, is_cut, _ = reply.partition(CUT)
        await self._write(said)
        if is_cut:
            raise _Cut
        return reply

    async def _write(self, data: bytes) -> None:
        for piece in (data[i : i + 1] for i in range(len(data))) if self._script.drips else [data]:
            self._writer.write(piece)
            await self._writer.drain()
            if self._script.drips:
                await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def an_smtp_server(
    script: Script | None = None, *, is_tls: bool = False
) -> AsyncIterator[SmtpServer]:
    """Yield a running server; with ``is_tls`` it speaks TLS from the first byte."""
    server = SmtpServer(script or Script())
    context = server.script.tls if is_tls else None
    if is_tls:
        server.script.tls = None
    listening = await asyncio.start_server(
        server.serve, "127.0.0.1", 0, ssl=context, limit=32 * 1024 * 1024
    )
    async with listening:
        server.port = port_of(listening)
        yield server


class Authority:
    """A certificate authority of our own, in files, and what it vouches for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Jubilee test authority")
        certificate = _certificate(self._name, self._key, self._name, self._key, is_authority=True)
        self.path = folder / "ca.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server_context(self, host: str) -> ssl.SSLContext:
        """Return the TLS side of a server that is ``host``."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(_named(host), key, self._name, self._key, host=host)
        path = self._folder / f"{host}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    host: str | None = None,
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if host is not None:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
