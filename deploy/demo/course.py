"""The run from beginning to end: import, one world day with kills, verdict."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import aiohttp
import msgspec

from deploy.demo.apis import Apis, LedgerRow, account_of
from deploy.demo.fleet import (
    IMPORT_RELAY,
    Ports,
    choose_ports,
    fleet_env,
    running_fleet,
    start_again,
)
from deploy.demo.kills import kill_and_revive
from deploy.demo.mail_store import read_ledger
from deploy.demo.people import DEMO_DAY, DemoPerson, Expected, owed_on, population
from deploy.demo.progress import EASTMOST_BAND, WESTMOST_BAND, Progress
from deploy.demo.screen import Frame, Screen, lateness_text
from deploy.demo.timetable import LAST_NINE, Timetable
from deploy.demo.verdict import Name, balance_faults, judge, ledger_line, names_of
from deploy.demo.witness_clock import WitnessClock, read_clock
from deploy.native.processes import System

_FRAME_EVERY_S = 0.25
_PLANNED_WITHIN_S = 120.0
_SETTLED_WITHIN_S = 90.0
_FAULTS_SHOWN = 20
_DAY_BEFORE, _DAY_AFTER = DEMO_DAY - timedelta(days=1), DEMO_DAY + timedelta(days=1)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line decides."""

    people: int
    rate: float
    seed: int
    with_kills: bool
    keep: bool


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What stays the same through the run."""

    options: Options
    env: Mapping[str, str]
    folder: Path
    ledger: Path
    ports: Ports
    timetable: Timetable
    people: list[DemoPerson]
    screen: Screen

    @property
    def inbox_url(self) -> str:
        """Where the inbox's page is."""
        return f"http://127.0.0.1:{self.ports.http}/"

    def fleet_env(self, clock: str) -> dict[str, str]:
        """Return the processes' environment under a clock."""
        return fleet_env(self.env, clock=clock, ports=self.ports, ledger=self.ledger)

    def apis(self, system: System) -> Apis:
        """Return a client of the running services."""
        return Apis(
            user_url=system.url("user"),
            planner_url=system.url("planner"),
            api_key=self.env["JUBILEE_API_KEY"],
        )

    def owed_on(self, day: date) -> list[Expected]:
        """Return what is owed for a day."""
        return owed_on(self.people, day, since=self.timetable.frozen_at)


async def run_course(options: Options, env: Mapping[str, str], screen: Screen) -> bool:
    """Run the demo and print its verdict; return whether everything is as it must be."""
    scene = _scene(options, env, screen)
    zones = len({person.timezone for person in scene.people})
    screen.say(f"{len(scene.people):,} people in {zones} time zones, seed {options.seed}")
    ids = await _import_people(scene)
    must = names_of([*scene.owed_on(_DAY_BEFORE), *scene.owed_on(DEMO_DAY)], ids)
    may = names_of(scene.owed_on(_DAY_AFTER), ids)
    clock_spec = scene.timetable.running_clock(now_s=time.time())
    screen.note(f"the processes start again under a calendar {options.rate:g} times as fast")
    async with running_fleet(scene.folder, scene.fleet_env(clock_spec)) as system:
        screen.note(f"every process is ready; the inbox's page is {scene.inbox_url}")
        rows = await _world_day(scene, system, must | may, read_clock(clock_spec))
        if options.keep:
            _pronounce(scene, rows, must=must, may=may)
            await _keep(scene)
    return _pronounce(scene, rows, must=must, may=may)


def _scene(options: Options, env: Mapping[str, str], screen: Screen) -> Scene:
    folder = Path(env["JUBILEE_FOLDER"])
    ledger = folder / "inbox.jsonl"
    ledger.unlink(missing_ok=True)
    return Scene(
        options=options,
        env=env,
        folder=folder,
        ledger=ledger,
        ports=choose_ports(),
        timetable=Timetable(options.rate),
        people=population(options.people, seed=options.seed),
        screen=screen,
    )


async def _import_people(scene: Scene) -> dict[str, str]:
    """Import everyone while the calendar stands still, and wait until the day is planned."""
    clock, screen = scene.timetable.frozen_clock(), scene.screen
    async with running_fleet(scene.folder, scene.fleet_env(clock)) as system:
        screen.note(f"every process is ready; the calendar stands still at {clock.split(';')[0]}")
        async with scene.apis(system) as apis:
            ids = await apis.import_people(scene.people, tell=_relay_killer(scene, system))
            screen.note(f"{len(ids):,} people were imported")
            await _revive_relay(scene, system)
            owed = len(scene.owed_on(DEMO_DAY))
            await _planned(apis, owed)
            screen.note(f"{owed:,} mails are planned for {DEMO_DAY}")
    return ids


def _relay_killer(scene: Scene, system: System) -> Callable[[int], None]:
    """Return what kills the relay once half of the import is answered."""

    def kill_at_half(answered: int) -> None:
        is_half = answered >= len(scene.people) // 2
        if scene.options.with_kills and is_half and not system.processes[IMPORT_RELAY].exits:
            system.kill(IMPORT_RELAY)
            scene.screen.note(f"SIGKILL {IMPORT_RELAY} while events flow")

    return kill_at_half


async def _revive_relay(scene: Scene, system: System) -> None:
    if scene.options.with_kills:
        await start_again(system, IMPORT_RELAY)
        scene.screen.note(f"{IMPORT_RELAY} is back")


async def _planned(apis: Apis, owed: int) -> None:
    until_s = time.monotonic() + _PLANNED_WITHIN_S
    while (planned := account_of(await apis.day(DEMO_DAY))["owed"]) != owed:
        if time.monotonic() > until_s:
            raise TimeoutError(f"{planned} of {owed} mails are planned for {DEMO_DAY}")
        await asyncio.sleep(0.2)


async def _world_day(
    scene: Scene, system: System, expected: Mapping[Name, Expected], clock: WitnessClock
) -> list[LedgerRow]:
    """Watch the day go round, with kills, until nothing of it is open any more."""
    progress = Progress(scene.ledger, expected, rate=clock.rate)
    killing = asyncio.create_task(_kill(scene, system, clock))
    rows: list[LedgerRow] = []
    most_unknown = 0
    try:
        async with scene.apis(system) as apis:
            while not _is_over(rows, killing, clock):
                progress.follow()
                rows = await _asked(apis) or rows
                most_unknown = max(most_unknown, account_of(rows)["unknown"])
                scene.screen.show(_frame(scene, progress, rows, clock))
                await asyncio.sleep(_FRAME_EVERY_S)
            scene.screen.leave()
        await killing
        scene.screen.note(lateness_text(progress.lateness()))
        left = account_of(rows)["unknown"]
        scene.screen.note(
            f"mails of unknown fate: at most {most_unknown} at once, {left} at the end"
        )
    finally:
        killing.cancel()
    return rows


async def _kill(scene: Scene, system: System, clock: WitnessClock) -> None:
    if scene.options.with_kills:
        await kill_and_revive(system, clock, scene.ledger, scene.screen.note)


async def _asked(apis: Apis) -> list[LedgerRow] | None:
    """Return the day's ledger; None while the planner is down."""
    try:
        return await apis.day(DEMO_DAY)
    except (aiohttp.ClientError, TimeoutError):
        return None


def _is_over(rows: list[LedgerRow], killing: "asyncio.Task[None]", clock: WitnessClock) -> bool:
    if time.time() < clock.real_at(LAST_NINE):
        return False
    account = account_of(rows)
    is_settled = killing.done() and not account["pending"] and not account["unknown"]
    return is_settled or time.time() > clock.real_at(LAST_NINE) + _SETTLED_WITHIN_S


def _frame(scene: Scene, progress: Progress, rows: list[LedgerRow], clock: WitnessClock) -> Frame:
    bands = range(WESTMOST_BAND, EASTMOST_BAND + 1)
    return Frame(
        now=clock.calendar_at(time.time()),
        rate=clock.rate,
        inbox_url=scene.inbox_url,
        bands={band: (progress.arrived[band], progress.owed[band]) for band in bands},
        account=dict(account_of(rows)),
        duplicates=progress.duplicates,
        early=progress.early,
        lateness=progress.lateness(),
    )


def _pronounce(
    scene: Scene,
    rows: list[LedgerRow],
    *,
    must: Mapping[Name, Expected],
    may: Mapping[Name, Expected],
) -> bool:
    """Print the day's ledger, what differs, and the last line."""
    say = scene.screen.say
    verdict = judge(read_ledger(scene.ledger), must=must, may=may)
    scene.screen.note("the inbox was read mail by mail")
    account = account_of(rows)
    owed = sum(name.local_day == str(DEMO_DAY) for name in must)
    faults = [*balance_faults(account, owed=owed), *verdict.faults]
    say(f"\n{DEMO_DAY}  {'kind':<12} {'state':<12} {'reason':<20} {'count':>7}")
    for row in sorted(rows, key=lambda row: (row.kind, row.state, row.reason or "")):
        say(f"{'':10}  {row.kind:<12} {row.state:<12} {row.reason or '':<20} {row.count:>7,}")
    for fault in faults[:_FAULTS_SHOWN]:
        say(f"WRONG  {fault}")
    if len(faults) > _FAULTS_SHOWN:
        say(f"WRONG  and {len(faults) - _FAULTS_SHOWN} more")
    say(ledger_line(account, verdict))
    return not faults


async def _keep(scene: Scene) -> None:
    """Leave everything running until Ctrl-C."""
    scene.screen.say(f"still running, Ctrl-C ends it; inbox page: {scene.inbox_url}")
    await asyncio.Event().wait()
