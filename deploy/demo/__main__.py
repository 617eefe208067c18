"""``python -m deploy.demo``: one whole world day in a minute, killed on the way, then checked.

Needs the environment that ``python -m deploy.native with`` gives. Exits with 0 only if every mail
owed is in the inbox exactly once and not a second early.
"""

import argparse
import asyncio
import os
import signal
import sys

from deploy.demo.apis import ImportRefusedError
from deploy.demo.course import Options, run_course
from deploy.demo.screen import Screen
from deploy.native.processes import ProcessDiedError

_INTERRUPTED = 130


def main() -> int:
    """Run the demo; return its exit status."""
    options = _options(sys.argv[1:])
    try:
        return 0 if asyncio.run(_until_signalled(options)) else 1
    except asyncio.CancelledError:
        print("interrupted; every process was stopped", file=sys.stderr)
        return _INTERRUPTED
    except (ImportRefusedError, ProcessDiedError, TimeoutError) as error:
        print(f"the demo cannot go on: {error}", file=sys.stderr)
        return 1


async def _until_signalled(options: Options) -> bool:
    course = asyncio.create_task(run_course(options, os.environ, Screen()))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, course.cancel)
    return await course


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument("--people", type=int, default=6000, help="how many (default 6000)")
    parser.add_argument("--rate", type=float, default=1600.0, help="calendar seconds per second")
    parser.add_argument("--seed", type=int, default=1, help="of the population")
    parser.add_argument("--no-kills", action="store_true", help="let every process live")
    parser.add_argument("--keep", action="store_true", help="go on running until Ctrl-C")
    given = parser.parse_args(arguments)
    return Options(
        people=given.people,
        rate=given.rate,
        seed=given.seed,
        with_kills=not given.no_kills,
        keep=given.keep,
    )


if __name__ == "__main__":
    sys.exit(main())
