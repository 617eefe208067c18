from typing import Annotated, Literal

import msgspec
import pytest

from libs.settings import Port, Positive, SettingsError, help_text, read_settings


class Settings(msgspec.Struct, frozen=True):
    database_url: str
    batch_size: Annotated[int, Positive] = 500  # rows per transaction
    pause_max_s: Annotated[float, Positive] = 1.0  # longest sleep
    http_port: Annotated[int, Port] = 8080
    provider: Literal["smtp", "file"] = "file"
    api_keys_file: str | None = None
    is_dry: bool = False
    jubilee_env: str = "development"

    def __post_init__(self) -> None:
        if self.jubilee_env == "production" and self.provider == "file":
            raise ValueError("APP_PROVIDER must not be file in production")


URL = {"APP_DATABASE_URL": "postgresql://app:secret@db/app"}


def mistakes(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(Settings, "APP", environ)
    return str(caught.value)


def test_every_field_is_read_from_its_variable() -> None:
    environ = URL | {"APP_BATCH_SIZE": "7", "APP_IS_DRY": "true", "JUBILEE_ENV": "test"}
    settings = read_settings(Settings, "APP", environ)
    assert (settings.batch_size, settings.is_dry, settings.jubilee_env) == (7, True, "test")


def test_an_empty_variable_is_not_set() -> None:
    settings = read_settings(Settings, "APP_", URL | {"APP_API_KEYS_FILE": "", "APP_HTTP_PORT": ""})
    assert (settings.api_keys_file, settings.http_port) == (None, 8080)


def test_all_mistakes_are_told_at_once() -> None:
    text = mistakes(
        APP_BATCH_SIZE="0", APP_PROVIDER="pigeon", APP_HTTP_PORT="70000", APP_IS_DRY="?"
    )
    assert "APP_DATABASE_URL is not set: give text" in text
    assert "APP_BATCH_SIZE is not usable: give a whole number above 0" in text
    assert "APP_PROVIDER is not usable: give one of file, smtp" in text
    assert "APP_HTTP_PORT is not usable: give a whole number at least 0 and at most 65535" in text
    assert "APP_IS_DRY is not usable: give true or false" in text


def test_unknown_names_are_refused_with_the_likely_one() -> None:
    text = mistakes(**URL, APP_BATCHSIZE="5", APP_COLOUR="red", JUBILEE_ENVV="production")
    assert "APP_BATCHSIZE is not a setting: did you mean APP_BATCH_SIZE?" in text
    assert "APP_COLOUR is not a setting: remove it" in text
    assert "JUBILEE_ENVV is not a setting: did you mean JUBILEE_ENV?" in text


def test_names_of_others_are_left_alone() -> None:
    environ = URL | {"OTHER_DATABASE_URL": "x", "APPLE": "x", "JUBILEE_TEST_DATABASE_URL": "x"}
    assert read_settings(Settings, "APP", environ).batch_size == 500


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "one"])
def test_a_duration_is_a_finite_number(text: str) -> None:
    assert "APP_PAUSE_MAX_S is not usable: give a number above 0" in mistakes(
        **URL, APP_PAUSE_MAX_S=text
    )


def test_values_never_appear_in_the_text() -> None:
    assert "secret" not in mistakes(**URL, APP_BATCH_SIZE="secret")


def test_settings_that_contradict_each_other_are_refused() -> None:
    assert "APP_PROVIDER must not be file" in mistakes(**URL, JUBILEE_ENV="production")


def test_help_names_every_variable_with_its_meaning() -> None:
    lines = help_text(Settings, "APP").splitlines()
    assert "  APP_DATABASE_URL  text, required" in lines
    assert "  APP_BATCH_SIZE  a whole number above 0, default 500  rows per transaction" in lines
    assert "  JUBILEE_ENV  text, default development" in lines
