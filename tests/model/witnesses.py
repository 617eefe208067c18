"""For every sown fault a short history on which the model objects, and without it does not."""

from contracts import topology
from tests.model.run import Action
from tests.model.words import (
    answer,
    cancel,
    catch_up,
    close_days,
    delete,
    deliver,
    dies,
    lose_confirms,
    move,
    opt_out,
    pause,
    rebuild_planner,
    redate,
    register,
    relay_dispatcher,
    relay_user,
    release,
    restore,
    settle,
    suppress,
    unsubscribe,
    wait,
    wait_for_nine,
)

PEOPLE = topology.PLANNER_USERS.name
OUTCOMES = topology.PLANNER_OUTCOMES.name
CONTACTS = topology.DISPATCHER_USERS.name
REQUESTS = topology.DISPATCHER_REQUESTS.name
REQUESTED = [register(), catch_up(), wait_for_nine(), release()]
"""Somebody's mail is asked for; nobody has taken up the request yet."""

WITNESSES: dict[str, list[Action]] = {
    "a second mail in a period is not refused": [
        *(register(), catch_up(), wait_for_nine(), catch_up()),
        redate(birthday=2),
    ],
    "periods are days": [
        *(register(), catch_up(), wait_for_nine(), catch_up()),
        redate(birthday=2),
    ],
    "the claim ignores the schedule's version": [*REQUESTED, redate(birthday=2)],
    "the claim takes contacts that are behind": [
        *(register(birthday=2), catch_up(), redate(birthday=1), wait_for_nine()),
        catch_up(withheld=CONTACTS),
    ],
    "the claim ignores opt-outs": [*REQUESTED, opt_out("birthday")],
    "the claim ignores unsubscribes": [*REQUESTED, unsubscribe()],
    "the claim ignores suppressions": [*REQUESTED, suppress()],
    "the claim ignores pauses": [*REQUESTED, pause(), catch_up()],
    "the claim ignores cancellations": [*REQUESTED, cancel(day=1)],
    "the claim ignores the late limit": [
        *REQUESTED,
        wait(minutes=47 * 60),
        wait(minutes=120),
        catch_up(),
    ],
    "released and claimed an hour early": [
        register(),
        catch_up(),
        wait_for_nine(seconds=-1),
        catch_up(),
    ],
    "contacts take any version": [
        *(register(), relay_user(), deliver(CONTACTS, is_kept=True), catch_up(withheld=CONTACTS)),
        *(wait_for_nine(), release(), opt_out("birthday"), relay_user()),
        *(deliver(CONTACTS, place=1), deliver(CONTACTS), deliver(REQUESTS)),
    ],
    "recipients take any version": [
        *(register(), relay_user(), deliver(PEOPLE, is_kept=True), catch_up(withheld=PEOPLE)),
        *(opt_out("birthday"), relay_user(), deliver(PEOPLE, place=1), deliver(PEOPLE)),
        *(wait_for_nine(), release(), deliver(REQUESTS)),
    ],
    "who left is forgotten instead of remembered": [
        *(register(), relay_user(), deliver(CONTACTS, is_kept=True), catch_up(withheld=CONTACTS)),
        *(wait_for_nine(), release(), delete(), relay_user()),
        *(deliver(CONTACTS, place=1), deliver(CONTACTS), deliver(REQUESTS)),
    ],
    "clocks never change for summer": [register(zone="Europe/Berlin")],
    "what was known too late is owed": [register(birthday=0)],
    "what was owed in a zone left is not owed": [
        *(register(zone="Etc/GMT+12", birthday=0), relay_user()),
        *(move("Pacific/Kiritimati"), relay_user(), deliver(PEOPLE, place=1)),
    ],
    "a time-out counts as failure": [
        *(register(), answer("unknown_taken"), catch_up(), wait_for_nine(), catch_up()),
    ],
    "lost outcomes are never found": [*REQUESTED, answer("die_after"), deliver(REQUESTS)],
    "an unknown outcome frees its period": [
        *(register(), answer("unknown_taken", is_silent=True), catch_up(), wait_for_nine()),
        *(catch_up(), redate(birthday=2), catch_up(), wait_for_nine(), catch_up()),
    ],
    "an answer counts for any release": [
        *(*REQUESTED, answer("unknown_taken"), deliver(REQUESTS), relay_dispatcher(), settle()),
        *(relay_dispatcher(), deliver(OUTCOMES, place=1)),
    ],
    "mails taken are forgotten unless the row waits for them": [
        *(*REQUESTED, answer("unknown_taken"), deliver(REQUESTS), relay_dispatcher()),
        deliver(OUTCOMES),
    ],
    "days close over what is pending": [
        *(register(zone="Etc/GMT+12", birthday=0), catch_up()),
        *(wait(minutes=47 * 60), wait(minutes=47 * 60), wait(minutes=24 * 60), close_days()),
    ],
    "what came back is not planned again": [
        *(register(zone="Pacific/Kiritimati"), catch_up(), wait_for_nine(), release()),
        *(delete(), catch_up(), restore(), catch_up(), move("Etc/GMT+12")),
    ],
    "a cancelled row blocks its day": [
        *(register(), catch_up(), redate(birthday=2), catch_up(), redate(birthday=1)),
    ],
    "a row keeps the instant it was planned for": [
        register(),
        catch_up(),
        redate(birthday=None),
    ],
    "the relay moves on without confirms": [register(), lose_confirms(refused=2), relay_user()],
    "messages are acknowledged first": [
        register(),
        relay_user(),
        deliver(PEOPLE, fate=dies(at=2, after=False)),
    ],
    "a rebuild clears its tables first": [
        *(register(), catch_up(), wait_for_nine(), rebuild_planner(at=22, after=True)),
    ],
}
