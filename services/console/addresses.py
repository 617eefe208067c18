"""Where the services are, and the key that opens them: from the environment."""

from collections.abc import Mapping

import msgspec

from services.console.errors import CommandError

SERVICES = ("user", "planner", "dispatcher")


class Addresses(msgspec.Struct, frozen=True):
    """The base URL of each service, and the API key."""

    urls: dict[str, str]
    key: str


def read_addresses(environ: Mapping[str, str]) -> Addresses:
    """Return the addresses in ``JUBILEE_<SERVICE>_URL``, or else behind ``<SERVICE>_HTTP_PORT``.

    Raises:
        CommandError: there is no key, or a service is nowhere to be found.
    """
    key = environ.get("JUBILEE_API_KEY", "")
    if not key:
        raise CommandError("JUBILEE_API_KEY is not set: run `. .local/env`, or export your key")
    return Addresses({service: _url(service, environ) for service in SERVICES}, key)


def _url(service: str, environ: Mapping[str, str]) -> str:
    name = service.upper()
    if url := environ.get(f"JUBILEE_{name}_URL"):
        return url.rstrip("/")
    if port := environ.get(f"{name}_HTTP_PORT"):
        host = environ.get(f"{name}_HTTP_HOST", "127.0.0.1")
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{port}"
    raise CommandError(
        f"nothing says where the {service} service is: run `. .local/env`,"
        f" or set JUBILEE_{name}_URL"
    )
