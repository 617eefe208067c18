"""What the demo asks the services over HTTP: to import people, and how the day stands."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from deploy.demo.people import DemoPerson, import_lines
from deploy.demo.verdict import LEDGER_WORDS

WORD_OF_STATE = {
    "accepted": "accepted",
    "refused": "failed",
    "suppressed": "suppressed",
    "expired": "expired",
    "cancelled": "cancelled",
    "unknown": "unknown",
    "waiting": "pending",
    "released": "pending",
    "deferred": "pending",
}
"""Under which word of the ledger each state of the plan is counted."""

_IMPORT_TIMEOUT_S = 300.0
_QUESTION_TIMEOUT_S = 10.0


class ImportRefusedError(Exception):
    """Lines of the import were not taken; the text shows the first of them."""


class LedgerRow(msgspec.Struct, frozen=True):
    """How many occurrences of a kind are in a state, for a reason."""

    kind: str
    state: str
    count: int
    reason: str | None = None


class Apis:
    """A client of the user service and of the planner."""

    def __init__(self, *, user_url: str, planner_url: str, api_key: str) -> None:
        self._user_url = user_url
        self._planner_url = planner_url
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {api_key}"})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.close()

    async def import_people(
        self, people: Sequence[DemoPerson], *, tell: Callable[[int], None]
    ) -> dict[str, str]:
        """Import everyone and return each person's id by external id.

        ``tell`` hears from time to time how many lines were answered.

        Raises:
            ImportRefusedError: not every line was taken.
        """
        ids: dict[str, str] = {}
        refused: list[bytes] = []
        async for number, line in self._imported(people):
            outcome = msgspec.json.decode(line)
            if outcome.get("id"):
                ids[people[number].external_id] = outcome["id"]
            else:
                refused.append(line)
            if number % 500 == 499:
                tell(number + 1)
        if refused or len(ids) != len(people):
            shown = refused[0].decode() if refused else "answers are missing"
            raise ImportRefusedError(f"{len(ids)} of {len(people)} were imported: {shown}")
        return ids

    async def day(self, day: date) -> list[LedgerRow]:
        """Return the planner's ledger of a day."""
        document = await self._get(f"{self._planner_url}/v1/plans/{day}")
        return msgspec.convert(document["ledger"], list[LedgerRow])

    async def _imported(self, people: Sequence[DemoPerson]) -> AsyncIterator[tuple[int, bytes]]:
        timeout = aiohttp.ClientTimeout(total=_IMPORT_TIMEOUT_S)
        async with self._http.post(
            f"{self._user_url}/v1/users/import",
            data=_body(people),
            headers={"Content-Type": "application/x-ndjson"},
            timeout=timeout,
        ) as answer:
            if answer.status != 200:
                raise ImportRefusedError(f"{answer.status}: {await answer.text()}")
            number = 0
            async for line in answer.content:
                yield number, line
                number += 1

    async def _get(self, url: str) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=_QUESTION_TIMEOUT_S)
        async with self._http.get(url, timeout=timeout, raise_for_status=True) as answer:
            document: dict[str, Any] = await answer.json()
            return document


def account_of(rows: Sequence[LedgerRow]) -> Mapping[str, int]:
    """Return the day's account in the words of the ledger; every word is there."""
    counted = dict.fromkeys(LEDGER_WORDS, 0)
    for row in rows:
        counted[WORD_OF_STATE[row.state]] += row.count
        counted["owed"] += row.count
    return counted


async def _body(people: Sequence[DemoPerson]) -> AsyncIterator[bytes]:
    for lines in import_lines(people):
        yield lines
