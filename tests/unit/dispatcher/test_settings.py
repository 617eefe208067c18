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
