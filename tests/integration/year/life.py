"""What happens to people in a year: who they are, and what they, and operators, do."""

from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from contracts.kinds import KINDS
from libs.ids import parse_occurrence_key
from services.dispatcher.adapters import suppressions
from services.dispatcher.app.settle_by_hand import settle_by_hand
from services.dispatcher.app.unsubscribe import resubscribe, unsubscribe
from services.dispatcher.domain.unsubscribing import Unsubscribing
from services.planner.app.cancelling import cancel
from services.planner.app.pausing import pause, resume
from services.user.adapters.registering import Registrations
from services.user.adapters.store import Origin
from services.user.app.change import change
from services.user.app.register import register
from services.user.app.remove import delete, erase, restore
from services.user.domain.profile import Rules
from tests.integration.year.services import Services
from tests.support.recipients import person_id as numbered

ORIGIN = Origin(caller="year")
RETENTION = timedelta(days=30)
KIND_NAMES = frozenset(KINDS)
ZONES = (
    "Pacific/Kiritimati", "Pacific/Apia", "Pacific/Chatham", "Asia/Tokyo", "Asia/Calcutta",
    "Asia/Kathmandu", "Australia/Lord_Howe", "Australia/Adelaide", "Europe/Berlin", "Europe/Kiev",
    "Europe/London", "Africa/Casablanca", "America/St_Johns", "America/New_York", "US/Eastern",
    "America/Santiago", "America/Los_Angeles", "Pacific/Niue", "Etc/GMT+12", "UTC",
)  # fmt: skip


class Life:
    """Makes people and has things happen to them, by chance. ``alive`` maps each to their state."""

    def __init__(self, services: Services, random: Random) -> None:
        self.services = services
        self.random = random
        self.states: dict[UUID, str] = {}
        self._addresses: dict[UUID, str] = {}
        self._deleted_at: dict[UUID, datetime] = {}
        self._blocked: set[UUID] = set()
        self._pauses: list[UUID] = []
        # Few dates, so that many things fall together.
        start = services.clock.now().date()
        self._days = [start + timedelta(days=random.randrange(366)) for _ in range(40)]
        self._days += [date(2028, 2, 28), date(2028, 2, 29), date(2028, 3, 1), date(2027, 12, 31)]

    async def register(self, *, near: date | None = None) -> None:
        """Register somebody, perhaps with a birthday near a day."""
        person_id = numbered(len(self.states))
        address = f"{person_id}@example.com"
        document = {
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": address,
            "timezone": self.random.choice(ZONES),
            "leap_day": self.random.choice(["feb28", "mar1"]),
            "birthday": self._birthday(near),
            "anniversary": self._anniversary(),
            "opt_outs": self.random.choice([[], [], [], [], [], [], ["birthday"], ["anniversary"]]),
        }
        await register(
            Registrations(self.services.store),
            document,
            person_id=person_id,
            rules=self._rules,
            origin=ORIGIN,
            now=self._now,
        )
        self.states[person_id] = "active"
        self._addresses[person_id] = address

    async def go_on(self, person_id: UUID) -> None:
        """Have something happen to a person."""
        if self.states[person_id] == "active":
            await self.random.choice(
                [self._change, self._change, self._change, self._delete, self._block]
            )(person_id)
        elif self.states[person_id] == "deleted":
            await self._return_or_go(person_id)

    async def correct(self, person_id: UUID) -> None:
        """Have a person say that the birthday is another one, soon."""
        if self.states[person_id] == "active":
            day = self._now.date() + timedelta(days=self.random.randint(1, 20))
            await self._patch(person_id, {"birthday": f"1972-{day:%m-%d}"})

    async def pause(self) -> None:
        """Pause somebody, a kind or everything."""
        whom = self.random.choice([None, self.random.choice(sorted(self.states))])
        kind = self.random.choice([None, "birthday"])
        pool, now = self.services.planner, self._now
        paused, _ = await pause(pool, person_id=whom, kind=kind, reason=None, now=now, by="year")
        self._pauses.append(paused.pause_id)

    async def call_off(self) -> None:
        """Call off some days of everybody's birthdays, or of all occasions."""
        today = self._now.date()
        await cancel(
            self.services.planner,
            person_id=None,
            kind=self.random.choice([None, "birthday"]),
            first_day=today,
            last_day=today + timedelta(days=3),
            reason=None,
            now=self._now,
            by="year",
        )

    async def resume_all(self) -> None:
        """End every pause."""
        for pause_id in self._pauses:
            await resume(self.services.planner, pause_id, now=self._now, by="year")
        self._pauses.clear()

    async def settle(self) -> None:
        """Have an operator say what became of the mails of unknown fate."""
        while self.services.provider.doubtful:
            key = self.services.provider.doubtful.pop()
            await settle_by_hand(
                self.services.dispatcher,
                self.services.greetings,
                parse_occurrence_key(key),
                self.random.choice(["accepted", "resend"]),
                now=self._now,
            )

    @property
    def _now(self) -> datetime:
        return self.services.clock.now()

    @property
    def _rules(self) -> Rules:
        return Rules(today=self._now.date(), kinds=KIND_NAMES)

    async def _change(self, person_id: UUID) -> None:
        near = self._now.date()
        patch: dict[str, Any] = self.random.choice(
            [
                {"timezone": self.random.choice(ZONES)},
                {"timezone": self.random.choice(ZONES)},
                {"birthday": self._birthday(near)},
                {"birthday": None},
                {"anniversary": self._anniversary()},
                {"leap_day": self.random.choice(["feb28", "mar1"])},
                {"opt_outs": ["birthday"]},
                {"opt_outs": []},
            ]
        )
        await self._patch(person_id, patch)

    async def _patch(self, person_id: UUID, patch: dict[str, Any]) -> None:
        await change(
            self.services.store,
            person_id,
            patch,
            rules=self._rules,
            origin=ORIGIN,
            now=self._now,
        )

    async def _delete(self, person_id: UUID) -> None:
        await delete(self.services.store, person_id, origin=ORIGIN, now=self._now)
        self.states[person_id] = "deleted"
        self._deleted_at[person_id] = self._now

    async def _return_or_go(self, person_id: UUID) -> None:
        is_late = self._now - self._deleted_at[person_id] > RETENTION
        if is_late or self.random.random() < 0.2:
            await erase(self.services.store, person_id, origin=ORIGIN, now=self._now)
            self.states[person_id] = "erased"
            return
        await restore(
            self.services.store, person_id, retention=RETENTION, origin=ORIGIN, now=self._now
        )
        self.states[person_id] = "active"

    async def _block(self, person_id: UUID) -> None:
        """Suppress the address or unsubscribe, or undo both."""
        pool, now = self.services.dispatcher, self._now
        asked = Unsubscribing(person_id, "birthday")
        if person_id in self._blocked:
            self._blocked.discard(person_id)
            async with pool.acquire() as connection:
                await suppressions.delete_suppression(
                    connection, self._addresses[person_id], now=now
                )
            await resubscribe(pool, asked, now=now)
            return
        self._blocked.add(person_id)
        if self.random.random() < 0.5:
            await unsubscribe(pool, asked, now=now)
            return
        async with pool.acquire() as connection:
            await suppressions.put_suppression(
                connection, self._addresses[person_id], reason="complaint", now=now
            )

    def _birthday(self, near: date | None) -> str | None:
        chance = self.random.random()
        if chance < 0.06:
            return None
        day = self.random.choice(self._days)
        if near is not None and chance < 0.8:
            day = near + timedelta(days=self.random.randint(-1, 2))
        if chance > 0.9:
            return f"--{day:%m-%d}"
        year = self.random.choice([1960, 1964, 1984, 1996]) if day.month == 2 else 1971
        return f"{year}-{day:%m-%d}"

    def _anniversary(self) -> str | None:
        if self.random.random() < 0.5:
            return None
        day = self.random.choice(self._days)
        return f"{self.random.choice([2008, 2012, 2016])}-{day:%m-%d}"
