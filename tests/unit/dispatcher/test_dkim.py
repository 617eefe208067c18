"""DKIM signatures, judged by an independent verifier (dkimpy)."""

import base64
import re
from pathlib import Path
from types import SimpleNamespace

import dkim  # type: ignore[import-untyped]
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings

from services.dispatcher.adapters.dkim import DkimKeyError, DkimSigner, Key, read_dkim_key
from services.dispatcher.adapters.mime import MimeWriter, Sender
from tests.support.deliveries import NINE
from tests.unit.dispatcher.test_mime import BODIES, SUBJECTS, a_mail

KEYS: dict[str, Key] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
SENDER = Sender("greetings@jubilee.example", "Jürgen vom Jubilee-Verein, der sehr lange grüßt")
SHORT_BITS = 1024
LINK = "https://mail.jubilee.example/unsubscribe/" + "a" * 60


class VerifyKey:
    """The curve alone, for dkimpy, which would take it from PyNaCl."""

    def __init__(self, public: bytes, *, encoder: None) -> None:
        del encoder
        self._key = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(public))

    def verify(self, data: bytes, signature: bytes) -> None:
        """Raise ``InvalidSignature`` where it does not fit."""
        self._key.verify(signature, data)


dkim.nacl = SimpleNamespace(
    signing=SimpleNamespace(VerifyKey=VerifyKey),
    encoding=SimpleNamespace(Base64Encoder=None),
    exceptions=SimpleNamespace(BadSignatureError=InvalidSignature, ValueError=ValueError),
)


def signer_of(name: str) -> DkimSigner:
    return DkimSigner(KEYS[name], domain="jubilee.example", selector="s2026")


def is_valid(raw: bytes, signer: DkimSigner) -> bool:
    def record(name: bytes, **_: object) -> bytes | None:
        is_ours = name == b"s2026._domainkey.jubilee.example."
        return signer.record.encode() if is_ours else None

    result: bool = dkim.verify(raw, dnsfunc=record, minkey=2048)
    return result


@pytest.mark.parametrize("name", KEYS)
@given(SUBJECTS, BODIES, BODIES)
@settings(max_examples=40, deadline=None)
def test_signature_verifies(name: str, subject: str, text: str, html: str) -> None:
    signer = signer_of(name)
    mail = a_mail(subject=subject, text=text, html=html, unsubscribe_url=LINK)
    assert is_valid(MimeWriter(SENDER, signer).write(mail), signer)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize(
    ("found", "replaced"),
    [
        (b"To: ada@", b"To: eve@"),
        (b"Subject: Happy", b"Subject: Unhappy"),
        (b"09:00:00", b"09:00:01"),
        (b"Message-ID: <6", b"Message-ID: <7"),
        (b"<https://mail.", b"<https://evil."),
        (b"One-Click", b"Two-Click"),
        (b"it's your birthday", b"it's your funeral"),
        (b"From: ", b"From: eve@example.org\r\nFrom: "),
        (b"Subject: ", b"Subject: Buy\r\nSubject: "),
    ],
    ids=lambda value: value.decode()[:24],
)
def test_nothing_that_matters_can_be_changed(name: str, found: bytes, replaced: bytes) -> None:
    signer = signer_of(name)
    raw = MimeWriter(SENDER, signer).write(a_mail(unsubscribe_url=LINK))
    assert found in raw
    assert is_valid(raw, signer)
    assert not is_valid(raw.replace(found, replaced, 1), signer)


@pytest.mark.parametrize("name", KEYS)
def test_equal_mails_are_signed_equally(name: str) -> None:
    mail = a_mail(unsubscribe_url=LINK)
    first, second = (MimeWriter(SENDER, signer_of(name)).write(mail) for _ in range(2))
    assert first == second


def test_every_header_is_signed_and_the_decisive_ones_once_more() -> None:
    raw = MimeWriter(SENDER, signer_of("Ed25519")).write(a_mail(unsubscribe_url=LINK)).decode()
    head = raw.partition("\r\n\r\n")[0].replace("\r\n ", "")
    signed = re.search(r" ?h=([^;]+);", head)
    assert signed
    names = [line.partition(":")[0].lower() for line in head.split("\r\n")[1:]]
    assert signed[1].split(":") == [*names, "from", "to", "subject", "date"]
    assert {"list-unsubscribe", "list-unsubscribe-post"} < set(names)
    assert f"t={int(NINE.timestamp())};" in head
    assert all(len(line) <= 998 for line in raw.split("\r\n"))


def pem(key: Key | ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize("name", KEYS)
def test_key_is_read_from_its_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(KEYS[name], NoEncryption()))
    again = DkimSigner(read_dkim_key(path), domain="jubilee.example", selector="s")
    assert again.record == signer_of(name).record


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read"),
        (b"no key", "no private key"),
        (pem(KEYS["RSA"], BestAvailableEncryption(b"x")), "without a password"),
        (pem(ec.generate_private_key(ec.SECP256R1()), NoEncryption()), "2048 bits, or Ed25519"),
        (pem(rsa.generate_private_key(65537, SHORT_BITS), NoEncryption()), "2048 bits, or Ed25519"),
    ],
    ids=["no file", "no key", "with a password", "another curve", "too short"],
)
def test_unusable_key_is_refused(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DkimKeyError, match=words):
        read_dkim_key(path)
