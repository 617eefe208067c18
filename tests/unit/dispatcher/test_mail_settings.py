"""Settings of signatures and links: refused at start where they would prove or protect nothing."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from libs.runtime.process import StartupError
from libs.settings import SettingsError, read_settings
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.wiring.mail import make_sender, make_signer

NEEDED = {"DISPATCHER_DATABASE_URL": "postgresql://x", "DISPATCHER_BROKER_URL": "amqp://x"}
LINK = {
    "DISPATCHER_UNSUBSCRIBE_URL": "https://mail.jubilee.example/unsubscribe",
    "DISPATCHER_UNSUBSCRIBE_KEYS": "k" * 32,
}
DKIM = {
    "DISPATCHER_DKIM_DOMAIN": "jubilee.example",
    "DISPATCHER_DKIM_SELECTOR": "s1",
    "DISPATCHER_DKIM_KEY_FILE": "dkim.pem",
}


def read(environ: dict[str, str]) -> DispatcherSettings:
    return read_settings(DispatcherSettings, "DISPATCHER", NEEDED | environ)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (LINK | {"DISPATCHER_UNSUBSCRIBE_KEYS": ""}, "at least one secret"),
        (LINK | {"DISPATCHER_UNSUBSCRIBE_KEYS": f"{'k' * 32},short"}, "at least one secret"),
        (LINK | {"DISPATCHER_UNSUBSCRIBE_URL": "ftp://mail.example"}, "must begin with https"),
        (LINK | {"DISPATCHER_UNSUBSCRIBE_URL": "https://m.example/?x=1"}, "without . and #"),
        (LINK | {"DISPATCHER_UNSUBSCRIBE_URL": "https://m.example>\r\nBcc: e"}, "plain address"),
        (
            LINK | {"DISPATCHER_UNSUBSCRIBE_URL": "http://m.example", "JUBILEE_ENV": "production"},
            "must begin with https",
        ),
        (DKIM | {"DISPATCHER_DKIM_SELECTOR": ""}, "belong together"),
        (DKIM | {"DISPATCHER_DKIM_DOMAIN": "jubilee.example; t=0"}, "as DNS has them"),
    ],
    ids=[
        "no key", "short key", "not http", "query", "header in the address", "http in production",
        "half of DKIM", "tag in the domain",
    ],
)  # fmt: skip
def test_setting_is_refused(environ: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read(environ)


def test_links_and_signatures_can_be_set() -> None:
    settings = read(LINK | DKIM)
    assert settings.unsubscribe_url
    assert settings.dkim_selector == "s1"


@pytest.mark.parametrize(
    ("domain", "is_fine"),
    [
        ("jubilee.example", True),
        ("mail.jubilee.example", True),
        ("other.example", False),
        ("ubilee.example", False),
        ("deep.mail.jubilee.example", False),
    ],
)
def test_signature_of_a_foreign_domain_is_refused(
    domain: str, is_fine: bool, tmp_path: Path
) -> None:
    path = tmp_path / "dkim.pem"
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    environ = DKIM | {
        "DISPATCHER_SENDER_ADDRESS": "greetings@mail.jubilee.example",
        "DISPATCHER_PROVIDER_URL": "smtp://127.0.0.1",
        "DISPATCHER_DKIM_DOMAIN": domain,
        "DISPATCHER_DKIM_KEY_FILE": str(path),
    }
    settings = read(environ)
    if is_fine:
        assert make_signer(settings, make_sender(settings)) is not None
        return
    with pytest.raises(StartupError, match="DISPATCHER_DKIM_DOMAIN must be"):
        make_signer(settings, make_sender(settings))


def test_key_that_cannot_be_read_is_named() -> None:
    settings = read(DKIM | {"DISPATCHER_DKIM_KEY_FILE": "/nowhere.pem"})
    with pytest.raises(StartupError, match="DISPATCHER_DKIM_KEY_FILE: cannot read"):
        make_signer(settings, make_sender(settings))
