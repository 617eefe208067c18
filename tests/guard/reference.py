"""Work of fixed size and of the hops' own character: how fast this machine is at such now."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from libs.postgres.types import Pool

_ROWS = 300
_ROUNDS = 4
_TABLE = """
CREATE TABLE IF NOT EXISTS guard_reference (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, facts jsonb NOT NULL
) WITH (autovacuum_enabled = off)
"""
# Neither statement can be planned in more than one way, whatever the tables hold.
_WRITE = """
INSERT INTO guard_reference (name, facts)
SELECT name, jsonb_build_object('name', name) FROM unnest($1::text[]) AS given (name)
"""
_REDUCE = """
SELECT md5(string_agg(word, ',' ORDER BY word))
FROM (
    SELECT jsonb_build_object('number', number, 'name', md5(number::text)) ->> 'name' AS word
    FROM generate_series(1, $1::int) AS number
) AS words
"""


class _Item(msgspec.Struct, frozen=True):
    id: UUID
    at: datetime
    name: str
    number: int
    notes: dict[str, str]


class Reference:
    """A fixed piece of Python, and a fixed job of the server on a table of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._names = [f"Number {number}" for number in range(_ROWS)]
        at = datetime(2027, 3, 8, tzinfo=UTC)
        self._items = [
            _Item(UUID(int=number << 70), at, name, number, {"of": name})
            for number, name in enumerate(self._names)
        ]
        self._decoder = msgspec.json.Decoder(list[_Item])

    async def prepare(self) -> None:
        """Make the table, unless it is there."""
        await self._pool.execute(_TABLE)

    async def compute(self) -> None:
        """Encode, decode, build, sort and join, with a few turns of the event loop between."""
        items = self._items
        for _ in range(_ROUNDS):
            items = self._decoder.decode(msgspec.json.encode(items))
            by_name = {one.name: one for one in items}
            items = [
                _Item(one.id, one.at + timedelta(seconds=1), one.name, one.number, one.notes)
                for _, one in sorted(by_name.items())
            ]
            ",".join(f"{one.id}:{one.number}" for one in items).encode()
            await asyncio.sleep(0)

    async def serve(self) -> None:
        """Have the server write rows, then build, sort and digest some."""
        async with self._pool.acquire() as connection:
            await connection.execute(_WRITE, self._names)
            await connection.fetchval(_REDUCE, 3 * _ROWS)
