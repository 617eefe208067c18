"""Asks the services; what they refuse becomes sentences."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import aiohttp
import msgspec

from services.console.addresses import Addresses
from services.console.errors import CommandError, RefusedError, UnreachableError

SILENCE_MAX_S: Final = 120.0
"""A service that sends nothing for so long is given up."""
_CONNECT_MAX_S: Final = 5.0


Query = Mapping[str, str] | Sequence[tuple[str, str]] | None


class Api:
    """The three services, for one key."""

    def __init__(self, addresses: Addresses, session: aiohttp.ClientSession) -> None:
        self._addresses = addresses
        self._session = session

    async def ask(
        self,
        service: str,
        path: str,
        *,
        query: Query = None,
        document: Any = None,
    ) -> Any:
        """Return the values of the answer: to a POST of ``document``, or to a GET without one.

        Raises:
            RefusedError: the service said no.
            UnreachableError: it did not answer.
        """
        method = "GET" if document is None else "POST"
        body = None if document is None else msgspec.json.encode(document)
        headers = {"Content-Type": "application/json"}
        answer = self.stream(service, method, path, query=query, body=body, headers=headers)
        async with answer as response:
            return msgspec.json.decode(await response.read())

    @contextlib.asynccontextmanager
    async def stream(
        self,
        service: str,
        method: str,
        path: str,
        *,
        query: Query = None,
        body: AsyncIterator[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield an answer that is no refusal, to be read while it comes.

        Raises:
            RefusedError: the service said no.
            UnreachableError: it did not answer, or went away meanwhile.
        """
        url = f"{self._addresses.urls[service]}{path}"
        try:
            async with self._session.request(
                method, url, params=query, data=body, headers=headers
            ) as response:
                if response.status >= 400:
                    raise _refusal(response.status, await response.read())
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            where = f"the {service} service at {self._addresses.urls[service]}"
            reason = str(error) or type(error).__name__
            raise UnreachableError(f"{where} does not answer: {reason}") from error

    async def find_person(self, named: str) -> UUID:
        """Return the id of the person with this id, e-mail address or external id.

        Raises:
            CommandError: nobody bears it.
        """
        with contextlib.suppress(ValueError):
            return UUID(named)
        field = "email" if "@" in named else "external_id"
        found = (await self.ask("user", "/v1/users", query={field: named}))["items"]
        if not found:
            raise CommandError(
                f"nobody has the {field} {named}; who was deleted is found by id alone"
            )
        return UUID(found[0]["id"])


@contextlib.asynccontextmanager
async def open_api(addresses: Addresses) -> AsyncIterator[Api]:
    """Yield the services."""
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=_CONNECT_MAX_S, sock_read=SILENCE_MAX_S
    )
    headers = {"Authorization": f"Bearer {addresses.key}"}
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        yield Api(addresses, session)


def _refusal(status: int, body: bytes) -> RefusedError:
    try:
        problem: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return RefusedError(f"the answer was {status}")
    sentence = f"{problem.get('title', status)}"
    if detail := problem.get("detail"):
        sentence = f"{sentence}: {detail}"
    return RefusedError(sentence, tuple(map(_fault, problem.get("errors", ()))))


def _fault(error: Mapping[str, Any]) -> str:
    place = error.get("parameter") or (error.get("pointer") or "").removeprefix("/")
    return f"{place}: {error['detail']}" if place else str(error["detail"])
