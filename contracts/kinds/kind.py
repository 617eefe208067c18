"""What a kind of occasion is: a frozen description that planner and dispatcher read alike."""

from datetime import time, timedelta
from typing import Literal

import msgspec

Cadence = Literal["yearly", "monthly", "weekly", "daily", "once"]
DateField = Literal["birthday", "anniversary", "registered"]
"""A date that every person may have, by its name in ``contracts.user_events.Person``."""

Promise = Literal["at_most_once", "at_least_once"]


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One language's texts of a kind, as sandboxed Jinja.

    They may use ``first_name``, ``last_name``, ``years`` (None where the year is unknown) and
    ``ordinal``, the years as English counts them: 1st, 2nd (None for no years).
    """

    subject: str
    text: str
    html: str


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of occasion.

    ``date_field`` is the date of the person it reads; ``offset_days`` after it lies the day that
    recurs as ``cadence`` says. The greeting goes out at ``wall_time`` where the person is, at most
    ``late_limit`` late.
    ``promise`` decides what becomes of a mail whose fate nobody can tell: ``at_most_once`` keeps
    it for an operator, ``at_least_once`` sends it again. ``templates`` maps a BCP 47 language to
    its texts; ``en`` must be there. Text and HTML that an operator publishes over them must show
    every one of ``required_holes``.
    """

    name: str
    date_field: DateField
    cadence: Cadence
    templates: dict[str, Template]
    offset_days: int = 0
    wall_time: time = time(9, 0)
    late_limit: timedelta = timedelta(hours=48)
    promise: Promise = "at_most_once"
    template_version: int = 1
    required_holes: tuple[str, ...] = ("first_name",)
