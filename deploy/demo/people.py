"""The demo's population, and what it may expect, worked out without the code that is on trial.

The same size and seed always give the same people. Expectations use the standard library's
``zoneinfo`` and nothing of ours.
"""

import calendar
import random
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from deploy.demo.names import AWKWARD_NAMES, NAMESTOCKS
from deploy.demo.wording import wording_in
from libs.localtime import zone_names

DEMO_DAY = date(2027, 2, 28)
"""The last day of February in a common year: most born on 29 February are greeted on it."""

NINE = time(9, 0)
_EARLIEST_YEAR, _LATEST_YEAR = 1900, DEMO_DAY.year - 1
_AWKWARD_EVERY = 97
_WIDE_ADDRESS_EVERY = 53
_WIDE_DOMAINS = ("bücher", "почта", "例え", "xn--bcher-kva")
_OPT_OUT_EVERY = 41


class DemoPerson(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person as the import takes it."""

    external_id: str
    first_name: str
    last_name: str
    email: str
    timezone: str
    locale: str
    birthday: str | None = None
    anniversary: str | None = None
    leap_day: str = "feb28"
    opt_outs: tuple[str, ...] = ()
    location_city: str | None = None


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """One mail that must come: to whom, for what, not before when, saying what."""

    external_id: str
    email: str
    kind: str
    local_day: date
    due_at: datetime
    zone: str
    text: str


def population(size: int, *, seed: int = 1) -> list[DemoPerson]:
    """Return ``size`` people, spread evenly over every IANA zone."""
    zones = zone_names()
    chance = random.Random(seed)
    return [_person(number, zones[number % len(zones)], chance) for number in range(size)]


def owed_on(people: Iterable[DemoPerson], day: date, *, since: datetime) -> list[Expected]:
    """Return every mail owed for ``day`` to ``people`` who were registered at ``since``."""
    return [
        expected
        for person in people
        for expected in _owed_to(person, day)
        if expected.due_at >= since
    ]


def _owed_to(person: DemoPerson, day: date) -> Iterator[Expected]:
    for kind, day_text in (("birthday", person.birthday), ("anniversary", person.anniversary)):
        if day_text is None or kind in person.opt_outs:
            continue
        year, month, day_of_month = _parts(day_text)
        if _celebrated(month, day_of_month, day.year, person.leap_day) != (day.month, day.day):
            continue
        if year is not None and day < date(year, month, day_of_month):
            continue
        yield Expected(
            external_id=person.external_id,
            email=person.email,
            kind=kind,
            local_day=day,
            due_at=datetime.combine(day, NINE, ZoneInfo(person.timezone)).astimezone(UTC),
            zone=person.timezone,
            text=_text(person, kind, None if year is None else day.year - year),
        )


def _celebrated(month: int, day_of_month: int, year: int, leap_day: str) -> tuple[int, int]:
    if (month, day_of_month) != (2, 29) or calendar.isleap(year):
        return month, day_of_month
    return (2, 28) if leap_day == "feb28" else (3, 1)


def _text(person: DemoPerson, kind: str, years: int | None) -> str:
    wording = wording_in(person.locale)
    names = {"first": person.first_name, "last": person.last_name}
    if kind == "birthday":
        return wording.birthday.format(**names)
    anniversary = wording.anniversary.format(**names)
    if not years:
        return anniversary
    return anniversary + (wording.one_year if years == 1 else wording.years.format(years=years))


def _parts(day_text: str) -> tuple[int | None, int, int]:
    year, month, day_of_month = day_text.rsplit("-", 2)
    return (None if year == "-" else int(year)), int(month), int(day_of_month)


def _person(number: int, zone: str, chance: random.Random) -> DemoPerson:
    stock = chance.choice(NAMESTOCKS)
    names = chance.choice(stock.first_names), chance.choice(stock.last_names)
    if number % _AWKWARD_EVERY == 0:
        names = AWKWARD_NAMES[number // _AWKWARD_EVERY % len(AWKWARD_NAMES)]
    first_name, last_name = (unicodedata.normalize("NFC", name) for name in names)
    opt_outs = ("birthday",) if number % _OPT_OUT_EVERY == 7 else ()
    return DemoPerson(
        external_id=f"demo-{number:06}",
        first_name=first_name,
        last_name=last_name,
        email=_address(number),
        timezone=zone,
        locale=stock.locale,
        opt_outs=opt_outs,
        location_city=zone.rsplit("/", 1)[-1].replace("_", " "),
        **_DATES[_dates_number(number)](chance),
    )


def _dates_number(number: int) -> int:
    """Return which dates a person has; people of one zone come by all of them in turn."""
    zones = len(zone_names())
    return (number // zones + number % zones) % len(_DATES)


def _address(number: int) -> str:
    if number % _WIDE_ADDRESS_EVERY == 3:
        return f"o'neil+{number}@{_WIDE_DOMAINS[number % len(_WIDE_DOMAINS)]}.example"
    return f"person{number}@{('one', 'two', 'mail.three')[number % 3]}.example"


def _birthday_today(chance: random.Random) -> dict[str, str]:
    return {"birthday": f"{chance.randint(_EARLIEST_YEAR, _LATEST_YEAR)}-02-28"}


def _birthday_today_unknown_year(chance: random.Random) -> dict[str, str]:
    return {"birthday": "--02-28", "anniversary": _other_day(chance)}


def _both_today(chance: random.Random) -> dict[str, str]:
    born, wed = sorted(chance.sample(range(_EARLIEST_YEAR, _LATEST_YEAR + 1), 2))
    return {"birthday": f"{born}-02-28", "anniversary": f"{wed}-02-28"}


def _first_anniversary(chance: random.Random) -> dict[str, str]:
    born = chance.randint(_EARLIEST_YEAR, _LATEST_YEAR - 20)
    return {"birthday": f"{born}-08-17", "anniversary": f"{_LATEST_YEAR}-02-28"}


def _anniversary_unknown_year(chance: random.Random) -> dict[str, str]:
    return {"birthday": _other_day(chance), "anniversary": "--02-28"}


def _born_on_leap_day(chance: random.Random) -> dict[str, str]:
    return {"birthday": f"{chance.choice(_LEAP_YEARS)}-02-29"}


def _leap_day_unknown_year(chance: random.Random) -> dict[str, str]:
    return {"birthday": "--02-29", "anniversary": _other_day(chance)}


def _waits_for_march(chance: random.Random) -> dict[str, str]:
    return {"birthday": f"{chance.choice(_LEAP_YEARS)}-02-29", "leap_day": "mar1"}


def _neighbouring_day(chance: random.Random) -> dict[str, str]:
    year = chance.randint(_EARLIEST_YEAR, _LATEST_YEAR)
    return {"birthday": f"{year}-{chance.choice(('02-27', '03-01'))}"}


def _nothing_today(chance: random.Random) -> dict[str, str]:
    return {"birthday": f"{chance.randint(_EARLIEST_YEAR, _LATEST_YEAR)}{_other_day(chance)[1:]}"}


def _other_day(chance: random.Random) -> str:
    return f"--{chance.randint(4, 12):02}-{chance.randint(1, 30):02}"


_LEAP_YEARS = tuple(filter(calendar.isleap, range(_EARLIEST_YEAR, _LATEST_YEAR + 1)))

_DATES: tuple[Callable[[random.Random], dict[str, str]], ...] = (
    _birthday_today,
    _both_today,
    _born_on_leap_day,
    _first_anniversary,
    _birthday_today_unknown_year,
    _birthday_today,
    _waits_for_march,
    _both_today,
    _leap_day_unknown_year,
    _anniversary_unknown_year,
    _neighbouring_day,
    _nothing_today,
)


def import_lines(people: Iterable[DemoPerson], *, chunk: int = 500) -> Iterator[bytes]:
    """Yield ``people`` as NDJSON, ``chunk`` lines at a time."""
    encoder = msgspec.json.Encoder()
    rest = iter(people)
    while lines := list(islice(rest, chunk)):
        yield encoder.encode_lines(lines)
