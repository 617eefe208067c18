"""What is written for services, and what counts as given by the caller."""

import os
import subprocess
from pathlib import Path

import pytest

from deploy.native import environment
from deploy.native.errors import CannotContinueError
from deploy.native.instance import Instance, State
from libs.httpapi.keys import load_api_keys

GIVEN_DATABASES = {name: f"postgresql://db/{name}" for name in environment.DATABASE_URLS}
GIVEN_BROKERS = dict.fromkeys(environment.BROKER_URLS, "amqp://broker/")


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path / "it's here")


def _written(instance: Instance, state: State, environ: dict[str, str]) -> dict[str, str]:
    return environment.service_environment(instance, state, environ)


def test_every_service_is_told_its_database_broker_address_and_keys(instance: Instance) -> None:
    variables = _written(instance, State(), {})
    for service in ("USER", "PLANNER", "DISPATCHER"):
        told = {name for name in variables if name.startswith(f"{service}_")}
        told.discard("USER_PLANNER_URL")
        assert told == {
            f"{service}_{knob}"
            for knob in ("DATABASE_URL", "BROKER_URL", "HTTP_HOST", "HTTP_PORT", "API_KEYS_FILE")
        }


def test_links_to_the_planner_lead_to_the_planner(instance: Instance) -> None:
    variables = _written(instance, State(), {})
    assert variables["USER_PLANNER_URL"].endswith(f":{variables['PLANNER_HTTP_PORT']}")


def test_services_share_no_database_login_and_no_port(instance: Instance) -> None:
    variables = _written(instance, State(), {})
    assert len({variables[name] for name in environment.DATABASE_URLS}) == 3
    assert len({variables[f"{name.upper()}_HTTP_PORT"] for name in environment.SERVICES}) == 3


def test_given_urls_win(instance: Instance) -> None:
    variables = _written(instance, State(), GIVEN_DATABASES)
    assert {name: variables[name] for name in GIVEN_DATABASES} == GIVEN_DATABASES
    assert variables["USER_BROKER_URL"].startswith("amqp://jubilee:")


def test_urls_sourced_from_the_written_file_are_not_given(instance: Instance) -> None:
    sourced = _written(instance, State(), {})
    assert environment.given_urls(sourced) == {}


def test_an_url_changed_after_sourcing_is_given(instance: Instance) -> None:
    sourced = _written(instance, State(), {}) | GIVEN_BROKERS
    assert environment.given_urls(sourced)["USER_BROKER_URL"] == "amqp://broker/"


def test_given_urls_stay_given_after_sourcing(instance: Instance) -> None:
    sourced = _written(instance, State(), GIVEN_DATABASES | GIVEN_BROKERS)
    assert environment.given_urls(sourced) == GIVEN_DATABASES | GIVEN_BROKERS


def test_half_of_the_urls_is_refused_with_the_missing_ones_named() -> None:
    with pytest.raises(CannotContinueError, match="PLANNER_DATABASE_URL, DISPATCHER_DATABASE_URL"):
        environment.given_urls({"USER_DATABASE_URL": "postgresql://db/user"})


def test_the_written_file_can_be_sourced_whatever_the_values(instance: Instance) -> None:
    instance.write(State())
    environment.write_environment(instance, {"PLAIN": "1", "HARD": "a b'c\"$HOME\\;&"})
    told = subprocess.run(
        ["sh", "-c", '. "$0" && printf "%s|%s" "$PLAIN" "$HARD"', str(instance.env_file)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "1|a b'c\"$HOME\\;&"


def test_secrets_are_readable_by_their_owner_only(instance: Instance) -> None:
    instance.write(State())
    environment.write_environment(instance, {})
    environment.write_keys(instance.keys_file, "secret")
    private = (instance.env_file, instance.keys_file, instance.folder / "state.json")
    assert [oct(path.stat().st_mode & 0o777) for path in private] == ["0o600"] * 3


def test_the_services_accept_the_written_key_with_every_scope(instance: Instance) -> None:
    state = State()
    instance.write(state)
    environment.write_keys(instance.keys_file, state.secret("api"))
    keys = load_api_keys(str(instance.keys_file), env="production", variable="USER_API_KEYS_FILE")
    caller = keys.find_caller(_written(instance, state, dict(os.environ))["JUBILEE_API_KEY"])
    assert caller is not None
    assert caller.scopes == set(environment.SCOPES)
