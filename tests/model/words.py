"""The model's actions by what they do, for histories written by hand.

People are told apart by their ``slot``; days are counted from the day a history begins on.
"""

from tests.model.outside import ANSWERS, Answer
from tests.model.people import DAYS, OPT_OUTS, ZONES
from tests.model.run import STRIDES, Action
from tests.model.system import QUEUES

SPARED = 1
"""The fate of who does not die."""


def dies(*, at: int, after: bool) -> int:
    """Return the fate of a process that dies before or after its statement ``at``, from 0."""
    return 6 * at + 3 * after


def register(*, zone: str = "UTC", birthday: int | None = 1, slot: int = 0) -> Action:
    """Register somebody born on the day ``birthday`` from the first."""
    return Action("register", slot, ZONES.index(zone), _dates(birthday))


def move(zone: str, *, slot: int = 0) -> Action:
    """Have somebody live in another zone."""
    return Action("move", slot, ZONES.index(zone))


def redate(*, birthday: int | None, slot: int = 0) -> Action:
    """Have somebody correct or remove the birthday."""
    return Action("redate", slot, _dates(birthday))


def opt_out(*kinds: str, slot: int = 0) -> Action:
    """Have somebody opt out of exactly these kinds."""
    return Action("opt", slot, OPT_OUTS.index(kinds))


def delete(*, slot: int = 0) -> Action:
    """Have somebody leave."""
    return Action("delete", slot)


def restore(*, slot: int = 0) -> Action:
    """Have whoever left come back."""
    return Action("restore", slot)


def suppress(*, slot: int = 0) -> Action:
    """Let no mail go to somebody's first address."""
    return Action("suppress", slot)


def pause() -> Action:
    """Hold back everything."""
    return Action("pause")


def cancel(*, day: int) -> Action:
    """Call off whatever falls on a day."""
    # The days watched begin on the day before the first.
    return Action("cancel", 0, 0, day + 1)


def unsubscribe() -> Action:
    """Have the first person unsubscribe from birthdays by the link in a mail."""
    return Action("unsubscribe")


def wait(*, minutes: int) -> Action:
    """Let some time pass."""
    return Action("wait", STRIDES.index(minutes))


def wait_for_nine(*, seconds: int = 0) -> Action:
    """Go to the next instant at which it is nine for somebody, or one second before or after."""
    return Action("wait_for_nine", 0, seconds + 1)


def relay_user(*, fate: int = SPARED) -> Action:
    """Publish what the user service has to tell."""
    return Action("relay_user", 0, 0, fate)


def relay_dispatcher(*, fate: int = SPARED) -> Action:
    """Publish what the dispatcher has to tell."""
    return Action("relay_dispatcher", 0, 0, fate)


def deliver(queue: str, *, place: int = 0, is_kept: bool = False, fate: int = SPARED) -> Action:
    """Deliver the message at ``place`` of ``queue``; one that ``is_kept`` comes again."""
    return Action("deliver", QUEUES.index(queue), 5 * place + (not is_kept), fate)


def release(*, fate: int = SPARED) -> Action:
    """Release what is due."""
    return Action("release", 0, 0, fate)


def settle(*, fate: int = SPARED) -> Action:
    """Find lost outcomes and settle unknown ones."""
    return Action("settle", 0, 0, fate)


def close_days(*, fate: int = SPARED) -> Action:
    """Close the days that are done."""
    return Action("close_days", 0, 0, fate)


def answer(first: Answer, second: Answer = "accept", *, is_silent: bool = False) -> Action:
    """Have the provider answer the next two mails so, or not say what became of mails."""
    return Action("misanswer", ANSWERS.index(first), ANSWERS.index(second), int(not is_silent))


def lose_confirms(*, kept: int = 0, refused: int = 0) -> Action:
    """Have the broker keep messages without confirming, or refuse them."""
    return Action("lose_confirms", kept, refused)


def catch_up(*, withheld: str | None = None) -> Action:
    """Do all there is to do now, while the messages of one queue are withheld, or of none."""
    return Action("catch_up", 0 if withheld is None else QUEUES.index(withheld) + 1)


def rebuild_planner(*, at: int, after: bool) -> Action:
    """Rebuild what the planner knows of people, and die before or after the statement ``at``."""
    return Action("rebuild_planner", 0, 0, 2 * at + after)


def _dates(birthday: int | None) -> int:
    """Return what chooses a birthday, of a known year, and nothing else."""
    only_birthday = len(DAYS) * DAYS.index(None) + DAYS.index(birthday)
    return only_birthday + len(DAYS) ** 2
