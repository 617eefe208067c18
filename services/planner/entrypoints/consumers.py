"""Messages from the broker, each turned into one call."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

from contracts import user_events
from contracts.envelope import Event
from contracts.kinds import Kind
from contracts.user_events import Person, UserErased
from libs.broker import Handler
from libs.clock import Clock
from libs.localtime import UnknownZoneError, canonical_zone, zone_names
from libs.postgres.types import Pool
from libs.telemetry.tracing import span
from services.planner.adapters.metrics import ANSWERED, BLOCKS_PROJECTED, PROJECTED
from services.planner.app.answering import record_outcomes
from services.planner.app.blocking import project_blocks
from services.planner.app.projecting import project_people
from services.planner.domain.origin import MalformedOriginError, origin_from
from services.planner.domain.recipient import Recipient
from services.planner.entrypoints.batches import UnusableError, batch_handler


def people_handler(pool: Pool, clock: Clock, kinds: Mapping[str, Kind]) -> Handler:
    """Return what takes in the user events of a message."""
    fields = sorted({kind.date_field for kind in kinds.values()})

    async def deal(events: Sequence[Event[Any]]) -> None:
        with span(
            "people.project",
            kind="consumer",
            links=[event.traceparent for event in events],
            attributes={"events": len(events)},
        ):
            people = [(event, recipient_from(event, date_fields=fields)) for event in events]
            for told_at, told in _by_day(people):
                news = await project_people(pool, told, kinds, now=clock.now(), told_at=told_at)
                PROJECTED.add(news)

    return batch_handler(pool, deal)


def blocks_handler(pool: Pool) -> Handler:
    """Return what takes in whom the dispatcher may not mail."""

    async def deal(events: Sequence[Event[Any]]) -> None:
        with span(
            "blocks.project",
            kind="consumer",
            links=[event.traceparent for event in events],
            attributes={"events": len(events)},
        ):
            news = await project_blocks(pool, [event.data for event in events])
        BLOCKS_PROJECTED.add(news)

    return batch_handler(pool, deal)


def outcome_handler(pool: Pool, clock: Clock, kinds: Mapping[str, Kind]) -> Handler:
    """Return what records the dispatcher's answers in a message."""

    async def deal(events: Sequence[Event[Any]]) -> None:
        if not events:
            return
        type_name = events[0].type
        with span(
            "outcomes.record",
            kind="consumer",
            links=[event.traceparent for event in events],
            attributes={"events": len(events), "type": type_name},
        ):
            changed = await record_outcomes(
                pool,
                type_name,
                [event.data for event in events],
                kinds=kinds,
                now=clock.now(),
                rate=clock.rate,
            )
        word = type_name.split(".")[1]
        ANSWERED.add(changed, type=word, effect="changed")
        ANSWERED.add(max(len(events) - changed, 0), type=word, effect="ignored")

    return batch_handler(pool, deal)


def _by_day(
    people: Iterable[tuple[Event[Any], Recipient]],
) -> Iterator[tuple[datetime, list[Recipient]]]:
    """Yield who was told of on the same day, with the first instant of that, oldest first.

    A message that was kept for days must not make what came later look as old.
    """
    oldest_first = sorted(people, key=lambda told: told[0].time)
    for _, group in groupby(oldest_first, key=lambda told: told[0].time.date()):
        told = list(group)
        yield told[0][0].time, [recipient for _, recipient in told]


def recipient_reader(kinds: Mapping[str, Kind]) -> Callable[[Event[Any]], Recipient]:
    """Return what reads the person of a user event, with the dates that ``kinds`` count from."""
    return partial(recipient_from, date_fields=sorted({kind.date_field for kind in kinds.values()}))


def recipient_from(event: Event[Any], *, date_fields: Sequence[str]) -> Recipient:
    """Return the person of a user event as the planner knows people.

    Raises:
        UnusableError: its zone or one of its dates does not exist here.
    """
    data = event.data
    if isinstance(data, UserErased):
        return _erased(event, data)
    return _known(data, is_active=event.type != user_events.USER_DELETED, date_fields=date_fields)


def _erased(event: Event[Any], data: UserErased) -> Recipient:
    return Recipient(
        person_id=data.id,
        version=data.version,
        schedule_version=data.schedule_version,
        is_active=False,
        is_erased=True,
        zone="UTC",
        leap_day="feb28",
        active_since=event.time,
    )


def _known(person: Person, *, is_active: bool, date_fields: Sequence[str]) -> Recipient:
    dates = {field: getattr(person, field, None) for field in date_fields}
    known_zones = zone_names()
    try:
        for text in filter(None, dates.values()):
            origin_from(text)
        zone = canonical_zone(person.timezone)
    except UnknownZoneError as error:
        raise UnusableError("unknown_zone") from error
    except MalformedOriginError as error:
        raise UnusableError("malformed_date") from error
    return Recipient(
        person_id=person.id,
        version=person.version,
        schedule_version=person.schedule_version,
        is_active=is_active,
        zone=zone,
        leap_day=person.leap_day,
        active_since=person.active_since,
        dates={field: text for field, text in dates.items() if text},
        dates_since=person.dates_since,
        opt_outs=person.opt_outs,
        opted_in_since=person.opted_in_since,
        zones_left={name: at for name, at in person.zones_left.items() if name in known_zones},
    )
