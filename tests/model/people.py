"""People who register, move, change their minds, leave and come back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.model.oracle import KIND_NAMES, History, nine_on
from tests.model.system import System

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
)
SLOTS = 5
DAYS = (1, 2, 3, 1, 2, 0, 3, 1, 2, 3, 1, -1, None)
"""On which days after the start dates fall, if at all; those nobody can be late for most often."""

DAYS_WATCHED = 5
OPT_OUTS = ((), ("birthday",), ("anniversary",), (), KIND_NAMES, ())
CHANGES = (
    "register",
    "move",
    "redate",
    "leap",
    "opt",
    "readdress",
    "delete",
    "restore",
    "erase",
    "suppress",
    "allow",
)


@dataclass
class Life:
    """One person under one address, from registration on."""

    person_id: UUID
    history: History
    is_erased: bool = False


@dataclass
class Slot:
    """Two addresses and whoever bears one of them, one life after the other."""

    addresses: tuple[str, str]
    lives: list[Life] = field(default_factory=list)

    def latest(self) -> Life | None:
        """Return the latest bearer who was not erased."""
        return self.lives[-1] if self.lives and not self.lives[-1].is_erased else None

    def living(self) -> Life | None:
        """Return the bearer who is there."""
        life = self.latest()
        return life if life and life.history.last.is_active else None


class People:
    """All people of one history. Each of ``CHANGES`` is a method of three numbers that choose."""

    def __init__(self, system: System, start: datetime, number: int) -> None:
        self.lives: dict[UUID, Life] = {}
        self.suppressed: set[str] = set()
        self.ever_suppressed: set[str] = set()
        self.start = start
        self._system = system
        self._number = number
        self._slots = [
            Slot((f"p{slot}.{number}@example.org", f"q{slot}.{number}@example.org"))
            for slot in range(SLOTS)
        ]

    @property
    def now(self) -> datetime:
        """What the calendar shows."""
        return self._system.clock.now()

    def days(self) -> list[date]:
        """Return the local days that are watched."""
        first = self.start.date() - timedelta(days=1)
        return [first + timedelta(days=offset) for offset in range(DAYS_WATCHED + 1)]

    def instants(self) -> set[datetime]:
        """Return when it is nine for somebody who celebrates."""
        return {
            nine_on(day, life.history.last.zone)
            for life in self.lives.values()
            for day in self.days()
            for kind in KIND_NAMES
            if life.history.last.falls_on(kind, day)
        }

    async def register(self, slot: int, zone: int, dates: int) -> None:
        """Register somebody under an address that nobody bears."""
        place = self._slots[slot % SLOTS]
        if place.living() is not None:
            return
        _, _, style = choices(dates)
        given = {
            "zone": ZONES[zone % len(ZONES)],
            "leap_day": "mar1" if style % 7 == 0 else "feb28",
            "opt_outs": frozenset({"birthday"} if style % 11 == 0 else ()),
            "email": place.addresses[0],
            "dates": self._dates(dates),
        }
        person_id = UUID(int=(0x7 << 76) | (0x2 << 62) | (self._number << 16) | len(self.lives))
        names = {"first_name": "Ada", "last_name": "Lovelace"}
        await self._system.register(person_id, names | _document(given))
        life = Life(person_id, History())
        life.history.register(self.now, **given)
        self.lives[person_id] = life
        place.lives.append(life)

    async def move(self, slot: int, zone: int, _: int) -> None:
        """Have somebody live in another zone."""
        await self._change(slot, zone=ZONES[zone % len(ZONES)])

    async def redate(self, slot: int, dates: int, _: int) -> None:
        """Have somebody correct, set or remove dates."""
        await self._change(slot, dates=self._dates(dates))

    async def leap(self, slot: int, leap_day: int, _: int) -> None:
        """Have somebody choose when to celebrate a 29 February."""
        await self._change(slot, leap_day=("feb28", "mar1")[leap_day % 2])

    async def opt(self, slot: int, chosen: int, _: int) -> None:
        """Have somebody opt out of, or back into, kinds."""
        await self._change(slot, opt_outs=frozenset(OPT_OUTS[chosen % len(OPT_OUTS)]))

    async def readdress(self, slot: int, address: int, _: int) -> None:
        """Have somebody use another address."""
        await self._change(slot, email=self._slots[slot % SLOTS].addresses[address % 2])

    async def delete(self, slot: int, _: int, __: int) -> None:
        """Have somebody leave."""
        if life := self._slots[slot % SLOTS].living():
            await self._system.delete(life.person_id)
            life.history.delete(self.now)

    async def restore(self, slot: int, _: int, __: int) -> None:
        """Have the last who left an address come back."""
        life = self._slots[slot % SLOTS].latest()
        if life and not life.history.last.is_active:
            await self._system.restore(life.person_id)
            life.history.restore(self.now)

    async def erase(self, slot: int, _: int, __: int) -> None:
        """Have somebody erased, after leaving or without."""
        if life := self._slots[slot % SLOTS].latest():
            await self._system.erase(life.person_id)
            life.history.delete(self.now)
            life.is_erased = True

    async def suppress(self, slot: int, address: int, _: int) -> None:
        """Let no mail go to an address."""
        chosen = self._slots[slot % SLOTS].addresses[address % 2]
        await self._system.suppress(chosen)
        self.suppressed.add(chosen)
        self.ever_suppressed.add(chosen)

    async def allow(self, slot: int, address: int, _: int) -> None:
        """Let mail go to an address again."""
        chosen = self._slots[slot % SLOTS].addresses[address % 2]
        if chosen in self.suppressed:
            await self._system.allow(chosen)
            self.suppressed.remove(chosen)

    async def _change(self, slot: int, **given: Any) -> None:
        life = self._slots[slot % SLOTS].living()
        if life is None:
            return
        version = await self._system.change(life.person_id, _document(given))
        if version > life.history.last.number:
            life.history.change(self.now, **given)

    def _dates(self, chosen: int) -> dict[str, str]:
        """Return dates near the start, some without a year, some on 29 February, some of today."""
        today = self.start.date()
        birthday, anniversary, style = choices(chosen)
        dates: dict[str, str] = {}
        if birthday is not None:
            day = today + timedelta(days=birthday)
            text = "02-29" if self.start.month == 2 and style % 2 == 0 else f"{day:%m-%d}"
            dates["birthday"] = f"--{text}" if style % 3 == 0 else f"1992-{text}"
        if anniversary is not None:
            day = today + timedelta(days=anniversary)
            year = day.year if day <= today and style % 5 == 0 else 2015
            text = f"{day:%m-%d}"
            dates["anniversary"] = "2016-02-29" if text == "02-29" else f"{year}-{text}"
        return dates


def choices(chosen: int) -> tuple[int | None, int | None, int]:
    """Return the days of birthday and anniversary that ``chosen`` names, and what is left."""
    rest, birthday = divmod(chosen, len(DAYS))
    style, anniversary = divmod(rest, len(DAYS))
    return DAYS[birthday], DAYS[anniversary], style


def _document(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``given`` as a client writes it."""
    document = dict(given)
    if "zone" in document:
        document["timezone"] = document.pop("zone")
    if "opt_outs" in document:
        document["opt_outs"] = sorted(document["opt_outs"])
    if "dates" in document:
        dates = document.pop("dates")
        document |= {kind: dates.get(kind) for kind in KIND_NAMES}
    return document
