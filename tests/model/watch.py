"""Holds every mail, and in the end everything owed, against the oracle."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from uuid import UUID

from contracts import codec, dispatch, topology
from contracts.kinds import KINDS
from libs.broker import Delivery
from libs.ids import occurrence_key, parse_occurrence_key
from libs.postgres.types import Record
from services.dispatcher.domain.greeting import Mail
from services.planner.app.questions import explain
from tests.model.operators import Operators
from tests.model.oracle import KIND_NAMES, LATE_LIMIT, nine_on
from tests.model.people import Life, People
from tests.model.system import Servers, System

GRACE = timedelta(minutes=5)
"""So shortly before its late limit a greeting may fail to be sent: a retry takes its time."""
ENDED = ("accepted", "refused", "suppressed", "expired", "cancelled")


class Violation(AssertionError):  # noqa: N818
    """The system did what the product's rules forbid."""


def require(holds: bool, otherwise: str) -> None:
    """Raise ``Violation`` with the text ``otherwise`` unless it ``holds``."""
    if not holds:
        raise Violation(otherwise)


class Watch:
    """Sees what is requested and what is sent, and audits the plan when all is over."""

    def __init__(
        self, servers: Servers, system: System, people: People, operators: Operators
    ) -> None:
        self._operators = operators
        self.is_asking_again = False
        self.ends: Counter[str] = Counter()
        self._closed: set[date] = set()
        self._servers = servers
        self._system = system
        self._people = people
        self._known_at_release: defaultdict[str, set[int]] = defaultdict(set)
        self._heard_by_planner: defaultdict[UUID, int] = defaultdict(int)
        self._heard_by_dispatcher: defaultdict[UUID, int] = defaultdict(int)
        self._listen(topology.PLANNER_USERS.name, self._heard_by_planner)
        self._listen(topology.DISPATCHER_USERS.name, self._heard_by_dispatcher)
        system.broker.seen = self._see
        system.provider.judge = self._judge

    def _listen(self, queue: str, heard: defaultdict[UUID, int]) -> None:
        """Note the newest version of everybody that the consumer of ``queue`` acknowledged."""
        handle = self._system.handlers[queue]

        async def noted(delivery: Delivery) -> None:
            await handle(delivery)
            for event in codec.decode(delivery.type_name, delivery.body):
                person = event.data
                heard[person.id] = max(heard[person.id], person.version)

        self._system.handlers[queue] = noted

    async def _see(self, type_name: str, body: bytes) -> None:
        """Note from what the planner knew each request was made."""
        if type_name != dispatch.DISPATCH_REQUESTED or self.is_asking_again:
            return
        for event in codec.decode(type_name, body):
            asked = event.data
            # Too late for a mail it is only asked about.
            is_question = self._system.clock.now() > asked.due_at + LATE_LIMIT
            require(
                is_question
                or not self._operators.is_held(asked.person_id, asked.kind, asked.local_day),
                f"{event.subject} was released though it was held back",
            )
            version = await self._servers.planner_eye.fetchval(
                "SELECT version FROM recipients WHERE person_id = $1", asked.person_id
            )
            # What it was told it knows, whatever its tables say.
            heard = self._heard_by_planner[asked.person_id]
            self._known_at_release[event.subject].add(max(version or 0, heard))

    async def _judge(self, mail: Mail) -> None:
        """Hold a mail that goes out now against the rules."""
        now = self._system.clock.now()
        day, person_id, kind = parse_occurrence_key(mail.occurrence)
        history = self._people.lives[person_id].history
        number = await self._servers.dispatcher_eye.fetchval(
            "SELECT version FROM contacts WHERE person_id = $1", person_id
        )
        known = history.get(max(number or 0, self._heard_by_dispatcher[person_id]))
        due_at = nine_on(day, known.zone)
        planned_from = self._known_at_release[mail.occurrence]
        # What a provider may have is repeated as it was, to the address of then.
        tried = await self._servers.dispatcher_eye.fetchval(_FIRST_TRIED, day, person_id, kind)
        first_written_to = None if tried is None else history.get(tried).email
        faults = {
            "to someone who had left or opted out": not known.wants(kind),
            "for a date that had moved away": not known.falls_on(kind, day),
            "before its instant": now < due_at,
            "after its late limit": now > due_at + LATE_LIMIT,
            "though the dispatcher knew it was held back": (
                await self._operators.is_held_at_dispatcher(person_id, kind, day)
            ),
            "to someone unsubscribed": (person_id, kind) in self._operators.unsubscribed,
            "to a suppressed address": not {known.email, mail.recipient}.isdisjoint(
                self._people.suppressed
            ),
            "to another address": mail.recipient not in {known.email, first_written_to},
            "a second time in its period": self._has_period_of(mail.occurrence),
            "though it was not owed as the planner knew it": not any(
                history.owes(version, kind, day) for version in planned_from
            ),
        }
        for fault, is_so in faults.items():
            require(not is_so, f"a mail went out {fault}: {mail.occurrence} at {now}")

    def _has_period_of(self, occurrence: str, *, but: str = "") -> bool:
        """Tell whether a mail of the same person, kind and year went out, other than ``but``."""
        return any(
            _period(mail.occurrence) == _period(occurrence) and mail.occurrence != but
            for mail in self._system.provider.taken
        )

    async def account(self, *, ended_at: datetime, last: datetime) -> None:
        """Hold every row of the plan and everything owed to account, as of ``last``.

        Until ``ended_at`` messages were withheld and processes dead, so what expired before it may
        have expired; from then on nothing is in the way of a greeting.

        Raises:
            Violation: something is lost, or is told otherwise than it was.
        """
        plan = await self._plan()
        closed = await self._servers.planner_eye.fetch(
            "SELECT local_day FROM days WHERE closings > 0"
        )
        self._closed = {row["local_day"] for row in closed}
        mails = Counter(mail.occurrence for mail in self._system.provider.taken)
        for occurrence, row in plan.items():
            self._account_for_row(occurrence, row, mails[occurrence], last)
        for occurrence in mails:
            require(occurrence in plan, f"{occurrence} was sent and is in no plan")
        for life in self._people.lives.values():
            for kind in KIND_NAMES:
                for day in self._people.days():
                    planned = plan.get(occurrence_key(day, life.person_id, kind))
                    self._account_for_debt(life, kind, day, planned, ended_at)
                    if planned is not None or life.history.ever_falls_on(kind, day):
                        await self._explain(life, kind, day, planned)
        for eye in (self._servers.planner_eye, self._servers.dispatcher_eye):
            waiting = await eye.fetchval("SELECT count(*) FROM set_aside")
            require(waiting == 0, "a message was set aside")

    def _account_for_row(self, occurrence: str, row: Record, mails: int, last: datetime) -> None:
        state, reason = row["state"], row["reason"]
        is_right = row["due_at"] == nine_on(row["local_day"], row["zone"])
        require(is_right, f"{occurrence} is planned for {row['due_at']} in {row['zone']}")
        self.ends[" ".join(filter(None, (state, reason)))] += 1
        if state not in ENDED:
            zone = self._people.lives[row["person_id"]].history.last.zone
            is_ahead = nine_on(row["local_day"], zone) > last
            require(is_ahead, f"{occurrence} is still {state} ({reason}) at the end")
        is_told = (state == "accepted") == (mails > 0)
        require(is_told, f"{occurrence} is {state} ({reason}), mails of it: {mails}")

    def _account_for_debt(
        self,
        life: Life,
        kind: str,
        day: date,
        row: Record | None,
        ended_at: datetime,
    ) -> None:
        """Require that what is owed in the end was sent, or ended for a reason that holds."""
        final = life.history.last
        if not life.history.owes(final.number, kind, day):
            return
        occurrence = occurrence_key(day, life.person_id, kind)
        # One that moved may have expired where it was before.
        first_due_at = min(nine_on(day, version.zone) for version in life.history.versions)
        is_past = first_due_at + LATE_LIMIT < ended_at + GRACE
        if row is None:
            # A closed day does not learn of what could not be sent any more when it became owed.
            is_settled = day in self._closed and not life.history.was_owed_in_time(kind, day)
            require(is_settled, f"{occurrence} is owed and in no plan")
            return
        addresses = {version.email for version in life.history.versions}
        allowed = {
            ("accepted", None): True,
            ("refused", "recipient_refused"): occurrence in self._system.provider.refused,
            ("cancelled", "called_off"): self._operators.is_called_off(life.person_id, kind, day),
            ("suppressed", "unsubscribed"): (life.person_id, kind)
            in self._operators.ever_unsubscribed,
            ("suppressed", "already_greeted"): self._has_period_of(occurrence, but=occurrence),
            ("suppressed", "address_suppressed"): bool(addresses & self._people.ever_suppressed),
            ("expired", "too_late"): is_past,
            ("expired", "paused"): is_past,
        }
        end = row["state"], row["reason"]
        due_at = nine_on(day, final.zone)
        require(allowed.get(end, False), f"{occurrence} is owed (due {due_at}) and ended as {end}")

    async def _explain(self, life: Life, kind: str, day: date, row: Record | None) -> None:
        """Require that the explanation of a day agrees with what became of it.

        Only what the rules of people decide is compared; a day dealt with is explained by what
        became of it.
        """
        told = await explain(
            self._servers.planner,
            life.person_id,
            KINDS[kind],
            day=day,
            now=self._system.clock.now(),
        )
        require(told is not None, f"nobody explains {kind} of {life.person_id}")
        if told is None:
            return
        is_owed = life.history.owes(life.history.last.number, kind, day)
        occurrence = occurrence_key(day, life.person_id, kind)
        says = told.decision.reason
        if row is None:
            require(not (told.decision.is_owed and not is_owed), f"{occurrence}: said to be owed")
        else:
            state = None if told.planned is None else told.planned.state
            require(state == row["state"], f"{occurrence} is {row['state']}, explained by {state}")
            if not is_owed and row["state"] != "accepted":
                require(says is not None, f"{occurrence} is not owed and explained as owed")

    async def _plan(self) -> dict[str, Record]:
        rows = await self._servers.planner_eye.fetch(
            "SELECT local_day, person_id, kind, state, reason, due_at, zone FROM plan"
        )
        return {
            occurrence_key(row["local_day"], row["person_id"], row["kind"]): row for row in rows
        }


_FIRST_TRIED = """
    SELECT claim.person_version
    FROM delivery_events AS claim
    JOIN delivery_events AS outcome USING (local_day, person_id, kind, release)
    WHERE local_day = $1 AND person_id = $2 AND kind = $3
      AND claim.step = 0 AND outcome.step = 1 AND outcome.type = 'unknown'
    ORDER BY release
    LIMIT 1
"""


def _period(occurrence: str) -> tuple[int, UUID, str]:
    day, person_id, kind = parse_occurrence_key(occurrence)
    return day.year, person_id, kind
