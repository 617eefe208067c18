"""What tests do with a planner, in a word each."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import dispatch
from contracts.dispatch import (
    Delivery,
    DeliveryAccepted,
    DeliveryDeferred,
    DeliveryRefused,
    DeliveryReturned,
    DeliverySuppressed,
    DeliveryUnknown,
    DispatchRequested,
)
from contracts.kinds import KINDS, Kind
from libs.clock import FrozenClock
from libs.postgres.types import Pool, Record
from services.planner.adapters.releases import Taken
from services.planner.app.answering import record_outcomes
from services.planner.app.opening import cut_next_day, open_days_ahead
from services.planner.app.planning import note_planned_days, plan_next_slice
from services.planner.app.projecting import project_people
from services.planner.app.releasing import look_out, release_due
from services.planner.app.upkeep import keep_partitions
from services.planner.domain.recipient import Recipient
from tests.support.publishers import FakePublisher
from tests.support.recipients import utc

ASK_AFTER = timedelta(seconds=120)


class World:
    """One planner's database, and as many planners on it as a test likes to play."""

    def __init__(self, pool: Pool, clock: FrozenClock, publisher: FakePublisher) -> None:
        self.pool = pool
        self.clock = clock
        self.publisher = publisher
        self.kinds: dict[str, Kind] = dict(KINDS)

    async def project(self, *people: Recipient) -> int:
        """Take in people."""
        return await project_people(self.pool, people, self.kinds, now=self.clock.now())

    async def open_days(self, *, horizon_days: int = 4) -> None:
        """Make partitions and open the days ahead, without planning them."""
        now = self.clock.now()
        await keep_partitions(self.pool, now=now)
        await open_days_ahead(self.pool, now=now, horizon_days=horizon_days)

    async def plan(self, *, slice_size: int = 1000) -> None:
        """Open the days ahead and plan all of them."""
        await self.open_days()
        await self.plan_open_days(slice_size=slice_size)

    async def plan_open_days(self, *, slice_size: int = 1000) -> None:
        """Cut and plan what is open, to the last slice."""
        now, kinds = self.clock.now(), list(self.kinds.values())
        while await cut_next_day(self.pool, kinds, now=now, slice_size=slice_size):
            pass
        while await plan_next_slice(self.pool, kinds, now=now) is not None:
            pass
        await note_planned_days(self.pool, now=now)

    async def release(self, *, limit: int = 500) -> list[DispatchRequested]:
        """Release once what is due; return what was published by that."""
        before = len(self.publisher.events())
        outlook = await look_out(self.pool, now=self.clock.now(), upto=20_000)
        assert outlook is not None
        for upcoming in outlook.upcoming:
            await self.release_day(upcoming.local_day, limit=limit)
        return [one.data for one in self.publisher.events()[before:]]

    async def release_day(self, local_day: date, *, limit: int = 500) -> list[Taken]:
        """Release once what is due of one day; return what was decided."""
        return await release_due(
            self.pool,
            self.publisher,
            local_day,
            kinds=self.kinds,
            now=self.clock.now(),
            limit=limit,
            ask_after=ASK_AFTER,
        )

    async def release_at(self, text: str) -> list[DispatchRequested]:
        """Move the clock to ``text`` and release once."""
        self.clock.set(utc(text))
        return await self.release()

    async def answer(self, type_name: str, *answers: Delivery, rate: float = 1.0) -> int:
        """Record answers of one type."""
        now = self.clock.now()
        return await record_outcomes(
            self.pool, type_name, answers, kinds=self.kinds, now=now, rate=rate
        )

    async def accept(self, request: DispatchRequested, **given: Any) -> int:
        """Answer that the mail was taken."""
        accepted = {
            "accepted_at": self.clock.now(),
            "due_at": request.due_at,
            "provider": "stub",
            "message_id": "<1@example.org>",
        }
        answer = DeliveryAccepted(**key_of(request) | accepted | given)
        return await self.answer(dispatch.DELIVERY_ACCEPTED, answer)

    async def refuse(self, request: DispatchRequested, **given: Any) -> int:
        """Answer that the mail will never be taken."""
        answer = DeliveryRefused(**key_of(request) | {"reason": "bad_mailbox"} | given)
        return await self.answer(dispatch.DELIVERY_REFUSED, answer)

    async def suppress(self, request: DispatchRequested, reason: str, **given: Any) -> int:
        """Answer that it was decided not to send."""
        answer = DeliverySuppressed(**key_of(request) | {"reason": reason} | given)
        return await self.answer(dispatch.DELIVERY_SUPPRESSED, answer)

    async def lose(self, request: DispatchRequested, **given: Any) -> int:
        """Answer that nobody knows."""
        answer = DeliveryUnknown(**key_of(request) | {"reason": "timeout"} | given)
        return await self.answer(dispatch.DELIVERY_UNKNOWN, answer)

    async def defer(self, request: DispatchRequested, retry_at: datetime, **given: Any) -> int:
        """Answer that another attempt may be made from ``retry_at``."""
        fields = {"reason": "busy", "retry_at": retry_at}
        answer = DeliveryDeferred(**key_of(request) | fields | given)
        return await self.answer(dispatch.DELIVERY_DEFERRED, answer)

    async def hand_back(
        self, request: DispatchRequested, reason: str = "schedule_changed", **given: Any
    ) -> int:
        """Answer that the request was not claimed."""
        answer = DeliveryReturned(**key_of(request) | {"reason": reason} | given)
        return await self.answer(dispatch.DELIVERY_RETURNED, answer)

    async def row(
        self, person: Recipient | UUID, local_day: date, kind: str = "birthday"
    ) -> Record:
        """Return one row of the plan."""
        found = await self.find(person, local_day, kind)
        assert found is not None
        return found

    async def find(
        self, person: Recipient | UUID, local_day: date, kind: str = "birthday"
    ) -> Record | None:
        """Return one row of the plan, if it is there."""
        person_id = person if isinstance(person, UUID) else person.person_id
        return await self.pool.fetchrow(
            "SELECT * FROM plan WHERE local_day = $1 AND person_id = $2 AND kind = $3",
            local_day,
            person_id,
            kind,
        )

    async def state(self, person: Recipient, local_day: date) -> tuple[str, str | None]:
        """Return a birthday's state and reason."""
        row = await self.row(person, local_day)
        return row["state"], row["reason"]

    async def planned(self) -> set[tuple[date, UUID, str]]:
        """Return the keys of all rows."""
        rows = await self.pool.fetch("SELECT local_day, person_id, kind FROM plan")
        return {(row["local_day"], row["person_id"], row["kind"]) for row in rows}

    async def open_day_list(self) -> list[date]:
        """Return the open days in order."""
        rows = await self.pool.fetch(
            "SELECT local_day FROM days WHERE closed_at IS NULL ORDER BY local_day"
        )
        return [row["local_day"] for row in rows]


def key_of(request: DispatchRequested) -> dict[str, Any]:
    """Return what an answer says to be the answer to ``request``."""
    return {
        "local_day": request.local_day,
        "person_id": request.person_id,
        "kind": request.kind,
        "release": request.release,
    }


def keys_of(requests: Sequence[DispatchRequested]) -> list[tuple[UUID, int]]:
    """Return whose requests they are, with their numbers."""
    return [(request.person_id, request.release) for request in requests]
