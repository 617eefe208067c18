"""What a kind of occasion is: a frozen description that planner and dispatcher read alike."""

from datetime import time, timedelta
from typing import Literal

import msgspec

Cadence = Literal["yearly", "monthly", "weekly", "daily", "once"]
Promise = Literal["at_most_once", "at_least_once"]


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One language's texts of a kind, as sandboxed Jinja.

    They may use ``first_name``, ``last_name`` and ``years`` (None where the year is unknown).
    """

    subject: str
    text: str
    html: str


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of occasion.

    ``date_field`` is the date of the person it reads and ``cadence`` how that date recurs. The
    greeting goes out at ``wall_time`` where the person is, at most ``late_limit`` late.
    ``promise`` decides what becomes of a mail whose fate nobody can tell: ``at_most_once`` keeps
    it for an operator, ``at_least_once`` sends it again. ``templates`` maps a BCP 47 language to
    its texts; ``en`` must be there.
    """

    name: str
    date_field: str
    cadence: Cadence
    templates: dict[str, Template]
    wall_time: time = time(9, 0)
    late_limit: timedelta = timedelta(hours=48)
    promise: Promise = "at_most_once"
    template_version: int = 1
