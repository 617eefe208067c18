"""``python -m deploy.native up|down|reset|run|with``; the Makefile calls these."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.native import servers
from deploy.native.errors import CannotContinueError
from deploy.native.instance import ROOT, Instance
from deploy.native.processes import ProcessDiedError
from deploy.native.run import run_until_stopped
from deploy.native.temporary import run_with_servers


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; every failure is a sentence, never a traceback."""
    options = _parser().parse_args(arguments)
    instance = Instance(ROOT / options.folder)
    try:
        return _do(options, instance)
    except (CannotContinueError, ProcessDiedError, TimeoutError) as problem:
        print(f"jubilee: {problem}", file=sys.stderr)
    except PermissionError as problem:
        print(
            f"jubilee: {problem.filename} may not be used by this account; "
            "give it back, or choose another folder with JUBILEE_FOLDER",
            file=sys.stderr,
        )
    except (OSError, subprocess.SubprocessError) as problem:
        print(f"jubilee: {problem}; `make reset` begins anew", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _do(options: argparse.Namespace, instance: Instance) -> int:
    match options.command:
        case "up":
            servers.up(instance)
            print(f"jubilee: up; `. {_shown(instance.env_file)}` sets every URL and the API key")
        case "down":
            ran = servers.down(instance)
            print("jubilee: stopped" if ran else "jubilee: nothing was running")
        case "reset":
            servers.reset(instance)
            print(f"jubilee: {_shown(instance.folder)} is forgotten")
        case "run":
            return run_until_stopped(instance)
        case _:
            return run_with_servers(instance, options.program, for_tests=options.for_tests)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.native", description=__doc__)
    parser.add_argument(
        "--folder",
        default=os.environ.get("JUBILEE_FOLDER") or ".local",
        help="where servers, state and logs are kept (default: $JUBILEE_FOLDER or .local)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start what is not running and write <folder>/env")
    commands.add_parser("down", help="stop everything; data stay")
    commands.add_parser("reset", help="stop everything and delete it")
    commands.add_parser("run", help="run the whole system in real time until Ctrl-C")
    within = commands.add_parser("with", help="run a command beside servers of its own")
    within.add_argument("--for-tests", action="store_true", help="bare servers for the tests")
    within.add_argument("program", nargs="+", help="the command, after --")
    return parser


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
