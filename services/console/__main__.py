"""``python -m services.console <command> …``: Jubilee from a terminal."""

import asyncio
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn

import msgspec

from services.console import asking, sentences
from services.console.addresses import read_addresses
from services.console.api import Api, open_api
from services.console.arguments import command_line
from services.console.errors import CommandError, RefusedError, UnreachableError
from services.console.exporting import export_file
from services.console.files import format_of
from services.console.following import read_events
from services.console.importing import Import

DONE: Final = 0
ROWS_REJECTED: Final = 1
MISTAKEN: Final = 2
REFUSED: Final = 3
INTERRUPTED: Final = 130


def main(arguments: Sequence[str]) -> NoReturn:
    """Do what the command line says and leave with its exit status."""
    given = command_line().parse_args(arguments)
    try:
        sys.exit(asyncio.run(_run(given)))
    except CommandError as error:
        _complain(str(error))
        sys.exit(MISTAKEN)
    except RefusedError as error:
        _complain(error.sentence, *error.faults)
        sys.exit(REFUSED)
    except UnreachableError as error:
        _complain(str(error))
        sys.exit(REFUSED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(DONE)
    except KeyboardInterrupt:
        _complain("interrupted")
        sys.exit(INTERRUPTED)


async def _run(given: Namespace) -> int:
    async with open_api(read_addresses(os.environ)) as api:
        match given.command:
            case "import":
                return await _import(api, given)
            case "export":
                return await _export(api, given)
            case "events":
                return await _events(api, given)
            case "explain":
                told = await asking.explain(api, given)
                _say(_json(told) if given.json else sentences.explanation(told))
            case "simulate":
                told = await asking.simulate(api, given)
                _say(_json(told) if given.json else sentences.simulation(told, per=given.per))
            case "pause":
                _say(await asking.pause(api, given))
            case "cancel":
                _say(await asking.cancel(api, given))
            case "resume":
                _say(await asking.resume(api, given))
            case "pauses":
                _say(await asking.pauses(api, given))
    return DONE


async def _import(api: Api, given: Namespace) -> int:
    work = Import(
        given.file,
        form=format_of(given.file, given.format),
        is_dry_run=given.dry_run,
        is_resumed=given.resume,
        out=sys.stdout,
    )
    try:
        rejected = await work.run(api, sys.stderr)
    except (UnreachableError, asyncio.CancelledError):
        if work.next_line > 1 and not given.dry_run:
            _complain(f"stopped at line {work.next_line}: --resume goes on there")
        raise
    return ROWS_REJECTED if rejected else DONE


async def _export(api: Api, given: Namespace) -> int:
    people = await export_file(
        api,
        given.file,
        form=format_of(given.file, given.format),
        is_resumed=given.resume,
        progress_out=sys.stderr,
    )
    _say([f"{people:,} people in {given.file}"])
    return DONE


async def _events(api: Api, given: Namespace) -> int:
    position, is_read = given.after, False
    reading = read_events(
        api, given.service, after=position, types=given.type, is_followed=given.follow
    )
    try:
        async for read in reading:
            position, is_read = read.position, True
            _say(line for event in read.events for line in _json(event))
    finally:
        if is_read:
            _complain(f"go on with --after {position}" if position else "nothing has happened yet")
    return DONE


def _json(value: Any) -> Iterable[str]:
    return [msgspec.json.encode(value).decode()]


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _complain(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
