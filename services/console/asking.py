"""Commands that ask the planner, or tell it to hold something back."""

from argparse import Namespace
from typing import Any

from services.console import sentences
from services.console.api import Api
from services.console.errors import CommandError


async def explain(api: Api, given: Namespace) -> Any:
    """Return why somebody is greeted, or is not."""
    person = await api.find_person(given.person)
    query = {"kind": given.kind}
    query |= {"year": str(given.year)} if given.year else {}
    query |= {"day": given.day} if given.day else {}
    return await api.ask("planner", f"/v1/users/{person}/explain", query=query)


async def simulate(api: Api, given: Namespace) -> Any:
    """Return what a range of days will bring."""
    document: dict[str, Any] = {"from": given.first, "to": given.last, "per": given.per}
    document |= {"kinds": given.kind} if given.kind else {}
    document |= {"mails_per_s": given.mails_per_s} if given.mails_per_s else {}
    document |= {"what_if": what_if} if (what_if := _what_if(given)) else {}
    return await api.ask("planner", "/v1/simulations", document=document)


async def pause(api: Api, given: Namespace) -> list[str]:
    """Hold back what is named and return the pause in words."""
    held = await api.ask("planner", "/v1/pauses", document=await _scope(api, given))
    return ["paused", sentences.pause(held)]


async def cancel(api: Api, given: Namespace) -> list[str]:
    """Call off what is named on some days and return the cancellation in words."""
    days = {"first_day": given.first, "last_day": given.last}
    document = await _scope(api, given) | days
    told = await api.ask("planner", "/v1/cancellations", document=document)
    return [sentences.cancellation(told)]


async def resume(api: Api, given: Namespace) -> list[str]:
    """End a pause and return it in words."""
    held = await api.ask("planner", f"/v1/pauses/{given.pause}/resume", document={})
    return [sentences.pause(held)]


async def pauses(api: Api, _: Namespace) -> list[str]:
    """Return the open pauses in words."""
    lines: list[str] = []
    query: dict[str, str] = {}
    while True:
        page = await api.ask("planner", "/v1/pauses", query=query)
        lines += map(sentences.pause, page["items"])
        if page["next"] is None:
            return lines or ["nothing is paused"]
        query = {"cursor": page["next"]}


async def _scope(api: Api, given: Namespace) -> dict[str, str]:
    if bool(given.person or given.kind) == given.everything:
        raise CommandError("say whom: --person, --kind, both, or --everything")
    scope = {"person_id": str(await api.find_person(given.person))} if given.person else {}
    scope |= {"kind": given.kind} if given.kind else {}
    return scope | ({"reason": given.reason} if given.reason else {})


def _what_if(given: Namespace) -> dict[str, Any]:
    what_if: dict[str, Any] = {}
    if given.wall_time:
        what_if["kinds"] = {
            kind: {"wall_time": time if time.count(":") > 1 else f"{time}:00"}
            for kind, _, time in (one.partition("=") for one in given.wall_time)
        }
    if given.outage:
        what_if["outage"] = dict(zip(("from", "to"), given.outage, strict=True))
    what_if |= {"leap_day": given.leap_day} if given.leap_day else {}
    return what_if | ({"tzdata": given.tzdata} if given.tzdata else {})
