"""Operators who pause, resume and call off; people who unsubscribe by the link in a mail."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from tests.model.oracle import KIND_NAMES
from tests.model.people import People
from tests.model.system import Servers, System

WORDS = ("pause", "resume", "cancel", "unsubscribe", "resubscribe")


@dataclass(frozen=True)
class Scope:
    """Whom and what a word is about; None is everyone, every kind, every day."""

    person_id: UUID | None
    kind: str | None
    day: date | None = None

    def covers(self, person_id: UUID, kind: str, day: date) -> bool:
        """Tell whether the occurrence is within it."""
        return (
            self.person_id in {None, person_id}
            and self.kind in {None, kind}
            and self.day in {None, day}
        )


class Operators:
    """What was held back. Each of ``WORDS`` is a method of three numbers that choose."""

    def __init__(self, servers: Servers, system: System, people: People) -> None:
        self.paused: dict[UUID, Scope] = {}
        self.called_off: list[Scope] = []
        self.unsubscribed: set[tuple[UUID, str]] = set()
        self.ever_unsubscribed: set[tuple[UUID, str]] = set()
        self._servers = servers
        self._system = system
        self._people = people

    async def pause(self, who: int, what: int, _: int) -> None:
        """Hold back a person, a kind or everything."""
        scope = self._scope(who, what)
        self.paused[await self._system.pause(scope.person_id, scope.kind)] = scope

    async def resume(self, which: int, _: int, __: int) -> None:
        """End one of the pauses."""
        if self.paused:
            pause_id = list(self.paused)[which % len(self.paused)]
            await self._system.resume(pause_id)
            del self.paused[pause_id]

    async def resume_all(self) -> None:
        """End every pause."""
        while self.paused:
            await self.resume(0, 0, 0)

    async def cancel(self, who: int, what: int, when: int) -> None:
        """Call off what falls on one of the watched days."""
        scope, days = self._scope(who, what), self._people.days()
        day = days[when % len(days)]
        await self._system.cancel(scope.person_id, scope.kind, day)
        self.called_off.append(Scope(scope.person_id, scope.kind, day))

    async def unsubscribe(self, who: int, what: int, _: int) -> None:
        """Have somebody the dispatcher knows follow the link in a mail."""
        asked = self._somebody(who), KIND_NAMES[what % 2]
        if asked[0] is not None and not self._people.lives[asked[0]].is_erased:
            await self._system.unsubscribe(asked[0], asked[1])
            self.unsubscribed.add((asked[0], asked[1]))
            self.ever_unsubscribed.add((asked[0], asked[1]))

    async def resubscribe(self, who: int, what: int, _: int) -> None:
        """Let mails go to somebody again."""
        if self.unsubscribed:
            person_id, kind = sorted(self.unsubscribed)[(who + what) % len(self.unsubscribed)]
            await self._system.resubscribe(person_id, kind)
            self.unsubscribed.remove((person_id, kind))

    def is_held(self, person_id: UUID, kind: str, day: date) -> bool:
        """Tell whether the planner knows that nothing of this may be sent."""
        scopes = [*self.paused.values(), *self.called_off]
        return any(scope.covers(person_id, kind, day) for scope in scopes)

    def is_called_off(self, person_id: UUID, kind: str, day: date) -> bool:
        """Tell whether this was called off."""
        return any(scope.covers(person_id, kind, day) for scope in self.called_off)

    async def is_held_at_dispatcher(self, person_id: UUID, kind: str, day: date) -> bool:
        """Tell whether the dispatcher knows of a hold on this."""
        rows = await self._servers.dispatcher_eye.fetch(_KNOWN_HOLDS, day)
        scopes = (Scope(row["person_id"], row["kind"]) for row in rows)
        return any(scope.covers(person_id, kind, day) for scope in scopes)

    def _scope(self, who: int, what: int) -> Scope:
        kind = None if what % 3 == 0 else KIND_NAMES[what % 2]
        return Scope(None if who % 4 == 0 else self._somebody(who), kind)

    def _somebody(self, who: int) -> UUID | None:
        lives = list(self._people.lives)
        return lives[who % len(lives)] if lives else None


_KNOWN_HOLDS = """
    SELECT person_id, kind FROM pauses WHERE resumed_at IS NULL AND paused_at IS NOT NULL
    UNION ALL
    SELECT person_id, kind FROM cancellations WHERE $1 BETWEEN first_day AND last_day
"""
