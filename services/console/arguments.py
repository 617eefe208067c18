"""The command line: which commands there are, and what each takes."""

import argparse
from pathlib import Path
from typing import Final

EPILOG: Final = """\
Reads JUBILEE_API_KEY, and where the services are: JUBILEE_USER_URL, JUBILEE_PLANNER_URL,
JUBILEE_DISPATCHER_URL, or the ports in .local/env (run `. .local/env` first).

Leaves with 0 when done, 1 when rows were rejected, 2 for a wrong command line or file, 3 when a
service refuses or does not answer, 130 when interrupted.
"""

COLUMNS: Final = """\
The first line of a CSV names its columns, in any order: first_name, last_name, email and timezone,
and any of birthday, anniversary, locale, leap_day, opt_outs (kinds joined by ;), external_id,
location_city and location_country.
"""

_FORMATS = ("csv", "ndjson")
_PERSON = "an id, an e-mail address or an external id"


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="python -m services.console",
        description="Jubilee from a terminal.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_files(commands)
    _add_questions(commands)
    _add_holds(commands)
    return parser


def _add_files(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    imports = commands.add_parser(
        "import",
        help="register the people in a file",
        epilog=COLUMNS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    imports.add_argument("file", type=Path, help="CSV in UTF-8, or NDJSON with a person a line")
    imports.add_argument("--format", choices=_FORMATS, help="if the file's name does not tell")
    mode = imports.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="judge every row, register nobody")
    mode.add_argument("--resume", action="store_true", help="go on where an import stopped")
    exports = commands.add_parser("export", help="write everybody to a file")
    exports.add_argument("file", type=Path, help="where they go; it must not exist yet")
    exports.add_argument("--format", choices=_FORMATS, help="if the file's name does not tell")
    exports.add_argument("--resume", action="store_true", help="complete FILE.part")
    events = commands.add_parser("events", help="print what happens, a JSON event a line")
    events.add_argument("--from", dest="service", choices=("user", "dispatcher"), default="user")
    events.add_argument("--after", help="the position to begin behind, as the last call told it")
    events.add_argument(
        "--type", action="append", default=[], help="only these, such as user.registered.v1"
    )
    events.add_argument("--follow", action="store_true", help="wait for more until interrupted")


def _add_questions(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    explain = commands.add_parser("explain", help="say why somebody is greeted, or is not")
    explain.add_argument("person", help=_PERSON)
    explain.add_argument("kind", help="such as birthday")
    explain.add_argument("--year", type=int, help="the occasion of that year")
    explain.add_argument("--day", help="a local day, YYYY-MM-DD")
    explain.add_argument("--json", action="store_true", help="print the answer as it is")
    simulate = commands.add_parser("simulate", help="say what a range of days will bring")
    simulate.add_argument(
        "--from", dest="first", required=True, metavar="YYYY-MM-DD", help="the first local day"
    )
    simulate.add_argument(
        "--to", dest="last", required=True, metavar="YYYY-MM-DD", help="the last local day"
    )
    simulate.add_argument(
        "--per", choices=("minute", "hour", "day"), default="day", help="how finely, in UTC"
    )
    simulate.add_argument("--kind", action="append", default=[], help="only these kinds")
    simulate.add_argument("--mails-per-s", type=float, help="the provider's limit")
    simulate.add_argument(
        "--wall-time",
        action="append",
        default=[],
        metavar="KIND=HH:MM",
        help="what if that kind came at another time of day",
    )
    simulate.add_argument(
        "--leap-day",
        choices=("feb28", "mar1"),
        help="what if everybody born on 29 February had chosen this for common years",
    )
    simulate.add_argument(
        "--tzdata", metavar="RELEASE", help="what if the planner worked by this zone data"
    )
    simulate.add_argument(
        "--outage",
        nargs=2,
        metavar=("FROM", "TO"),
        help="what if nothing went out between two instants, such as 2027-06-14T09:00:00Z",
    )
    simulate.add_argument("--json", action="store_true", help="print the answer as it is")


def _add_holds(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    pause = commands.add_parser("pause", help="hold back a person, a kind, or everything")
    cancel = commands.add_parser("cancel", help="call off some days for good")
    for one in (pause, cancel):
        one.add_argument("--person", help=_PERSON)
        one.add_argument("--kind")
        one.add_argument("--everything", action="store_true", help="everyone and every kind")
        one.add_argument("--reason", help="for those who read the list; nothing personal")
    cancel.add_argument("--from", dest="first", required=True, metavar="YYYY-MM-DD")
    cancel.add_argument("--to", dest="last", required=True, metavar="YYYY-MM-DD")
    resume = commands.add_parser("resume", help="end a pause")
    resume.add_argument("pause", metavar="PAUSE_ID")
    commands.add_parser("pauses", help="list the open pauses")
