"""The variables that tell services where everything is, and the key that opens their APIs."""

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from deploy.native import postgres, rabbitmq
from deploy.native.errors import CannotContinueError
from deploy.native.instance import Instance, State, write_private

SERVICES = ("user", "planner", "dispatcher")
DATABASE_URLS = tuple(f"{service.upper()}_DATABASE_URL" for service in SERVICES)
BROKER_URLS = tuple(f"{service.upper()}_BROKER_URL" for service in SERVICES)
SCOPES = (
    "users:read",
    "users:write",
    "users:export",
    "events:read",
    "plans:read",
    "deliveries:read",
    "ops:redrive",
    "ops:pause",
    "ops:templates",
)
KEY_ID = "local"
WRITTEN = "JUBILEE_LOCAL_URLS"
"""Fingerprint of the URLs that were written here, so that sourcing them is not giving them."""


def given_urls(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the server URLs the caller gives: all databases, all brokers, both or none.

    Raises:
        CannotContinueError: only some of the databases or some of the brokers are given.
    """
    urls = {name: environ[name] for name in (*DATABASE_URLS, *BROKER_URLS) if environ.get(name)}
    if environ.get(WRITTEN) == _fingerprint(urls):
        return {}
    for group in (DATABASE_URLS, BROKER_URLS):
        missing = [name for name in group if name not in urls]
        if missing and len(missing) < len(group):
            raise CannotContinueError(
                f"{', '.join(missing)} is missing: give {', '.join(group)} together, "
                "or none of them to have a private server started"
            )
    return urls


def service_environment(
    instance: Instance, state: State, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return every variable the services need; URLs and ports the caller gave are kept."""
    given = given_urls(environ)
    urls = {
        name: given.get(name) or postgres.service_url(state, service)
        for name, service in zip(DATABASE_URLS, SERVICES, strict=True)
    } | {name: given.get(name) or rabbitmq.url(state) for name in BROKER_URLS}
    variables = {"JUBILEE_ENV": "development", "JUBILEE_FOLDER": str(instance.folder), **urls}
    for service in SERVICES:
        prefix = service.upper()
        variables[f"{prefix}_HTTP_HOST"] = "127.0.0.1"
        variables[f"{prefix}_HTTP_PORT"] = str(state.port(service))
        variables[f"{prefix}_API_KEYS_FILE"] = str(instance.keys_file)
    variables["USER_PLANNER_URL"] = f"http://127.0.0.1:{state.port('planner')}"
    variables["JUBILEE_API_KEY"] = f"{KEY_ID}.{state.secret('api')}"
    variables[WRITTEN] = _fingerprint({} if given else urls)
    return variables


def tests_environment(
    instance: Instance, state: State, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of the tests; a server the caller gave is kept."""
    return {
        "JUBILEE_FOLDER": str(instance.folder),
        "JUBILEE_TEST_DATABASE_URL": postgres.tests_url(state),
        "JUBILEE_TEST_BROKER_URL": rabbitmq.url(state),
        "JUBILEE_TEST_BROKER_API": rabbitmq.management_url(state),
    } | {
        name: environ[name]
        for name in (
            "JUBILEE_TEST_DATABASE_URL",
            "JUBILEE_TEST_BROKER_URL",
            "JUBILEE_TEST_BROKER_API",
        )
        if environ.get(name)
    }


def write_environment(instance: Instance, variables: Mapping[str, str]) -> None:
    """Write the environment file, ready to be sourced by any shell, for its owner only."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    write_private(instance.env_file, "".join(lines))


def write_keys(path: Path, secret: str) -> None:
    """Write the services' file of API keys: one key with every scope, hashed."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    key = {"id": KEY_ID, "hash": digest, "scopes": list(SCOPES)}
    write_private(path, json.dumps({"keys": [key]}, indent=2) + "\n")


def _fingerprint(urls: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(urls.items())).encode()).hexdigest()[:16]
