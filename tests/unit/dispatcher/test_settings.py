"""The dispatcher's settings refuse what could break the promise."""

import pytest

from libs.settings import SettingsError, read_settings
from services.dispatcher.settings import DispatcherSettings

NEEDED = {"DISPATCHER_DATABASE_URL": "postgresql://x", "DISPATCHER_BROKER_URL": "amqp://x"}


def test_lease_outlasts_the_longest_call() -> None:
    wrong = NEEDED | {"DISPATCHER_LEASE_S": "30.5", "DISPATCHER_PROVIDER_TIMEOUT_S": "30"}
    with pytest.raises(SettingsError, match="DISPATCHER_LEASE_S must be more than"):
        read_settings(DispatcherSettings, "DISPATCHER", wrong)


def test_defaults_are_fit_to_start() -> None:
    assert read_settings(DispatcherSettings, "DISPATCHER", NEEDED).lease_s == 90


@pytest.mark.parametrize(
    ("provider", "url", "token", "mistakes"),
    [
        pytest.param("vendor", "nonsense", "", 1, id="vendor needs http"),
        pytest.param("smtp", "http://mail.example", "", 1, id="smtp needs smtp"),
        pytest.param("postmark", "https://mail.example", "", 1, id="postmark needs a token"),
        pytest.param("postmark", "ftp://mail.example", "", 2, id="both at once"),
        pytest.param("postmark", "https://mail.example", "secret", 0, id="postmark"),
        pytest.param("file", "mails.jsonl", "", 0, id="file"),
    ],
)
def test_provider_that_its_address_contradicts_is_refused_with_every_mistake(
    provider: str, url: str, token: str, mistakes: int
) -> None:
    environ = {
        "DISPATCHER_DATABASE_URL": "postgresql://database/dispatcher",
        "DISPATCHER_BROKER_URL": "amqp://broker/",
        "DISPATCHER_PROVIDER": provider,
        "DISPATCHER_PROVIDER_URL": url,
        "DISPATCHER_PROVIDER_TOKEN": token,
        "JUBILEE_ENV": "production",
    }
    text = ""
    try:
        read_settings(DispatcherSettings, "DISPATCHER", environ)
    except SettingsError as error:
        text = str(error)
    assert text.count("  * DISPATCHER_PROVIDER") == mistakes
