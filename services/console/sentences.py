"""Answers of the planner in words."""

from collections.abc import Iterator, Mapping
from typing import Any


def explanation(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield an explanation line by line: the answer first, then the rules, then what would help."""
    yield _verdict(told)
    for rule in told["rules"]:
        mark = "yes" if rule["holds"] else "NO "
        inputs = ", ".join(f"{name}={value}" for name, value in rule["inputs"].items())
        yield f"  {mark}  {rule['rule'].replace('_', ' ')}{f'  ({inputs})' if inputs else ''}"
    if change := told["change"]:
        yield _remedy(change)
    if state := told["state"]:
        reason = f" ({told['state_reason']})" if told["state_reason"] else ""
        yield f"the plan holds it as {state}{reason}"
    if following := told["next"]:
        owed = "" if following["is_owed"] else f", which is not owed ({following['reason']})"
        yield f"next: {following['due_at_local']}{owed}"


def _verdict(told: Mapping[str, Any]) -> str:
    kind = told["kind"]
    if told["is_owed"]:
        return f"{kind} on {told['local_day']}: owed at {_when(told)}"
    day = f" on {told['local_day']}" if told["local_day"] else ""
    return f"{kind}{day}: not owed, {_words(told['reason'])} (rule: {_words(told['rule'])})"


def _when(told: Mapping[str, Any]) -> str:
    return f"{told['due_at_local']} in {told['zone']}, which is {told['due_at']}"


def _remedy(change: Mapping[str, Any]) -> str:
    if not change["is_possible"]:
        why = change["text"].removeprefix("nothing can").removeprefix(": ")
        return f"nothing can make it yes: {why}" if why else "nothing can make it yes"
    day = f", for {change['local_day']}" if change["local_day"] else ""
    return f"to make it yes{day}: {change['text']}"


def _words(word: str | None) -> str:
    return (word or "").replace("_", " ")


def simulation(told: Mapping[str, Any], *, per: str) -> Iterator[str]:
    """Yield the outlook of a range of days, and what a what-if would change, line by line."""
    yield (
        f"{told['from']} to {told['to']}: {told['people']:,} active people,"
        f" zone data {told['tzdata']}"
    )
    yield from _outlook("as it is", told["as_is"], per=per)
    if told["what_if"]:
        yield from _outlook("what if", told["what_if"], per=per)
    if difference := told["difference"]:
        counts = (f"{difference[name]:,} {name}" for name in ("same", "moved", "added", "gone"))
        yield f"difference: {', '.join(counts)}"
        for move in difference["moves"]:
            yield (
                f"  {move['kind']} of {move['local_day']} in {move['zone']}:"
                f" {move['was_at']} -> {move['at']} ({move['greetings']:,})"
            )


def _outlook(name: str, outlook: Mapping[str, Any], *, per: str) -> Iterator[str]:
    yield f"{name}: {outlook['greetings']:,} greetings"
    for kind in outlook["kinds"]:
        yield (
            f"  {kind['kind']}: {kind['greetings']:,} greetings to {kind['people']:,} people,"
            f" {kind['people_without']:,} get none"
        )
    for nothing in outlook["nothing"]:
        examples = f", such as {', '.join(nothing['examples'])}" if nothing["examples"] else ""
        reason = _words(nothing["reason"])
        yield f"    no {nothing['kind']}, {reason}: {nothing['people']:,}{examples}"
    yield from _delivery(outlook["delivery"])
    yield from (_moment(moment, per=per) for moment in outlook["timeline"])


def _delivery(delivery: Mapping[str, Any]) -> Iterator[str]:
    if delivery["busiest_at"]:
        yield f"  busiest minute: {delivery['busiest_at']} with {delivery['busiest']:,}"
    if delivery["mails_per_s"] or delivery["late"] or delivery["expired"]:
        limit = f"at {delivery['mails_per_s']:g} mails/s" if delivery["mails_per_s"] else "sent"
        late = f" by up to {delivery['most_late_s']:,.0f} s" if delivery["late"] else ""
        yield (
            f"  {limit}: {delivery['late']:,} late{late}, {delivery['expired']:,} expired,"
            f" longest backlog {delivery['largest_backlog']:,}"
        )


def _moment(moment: Mapping[str, Any], *, per: str) -> str:
    expired = f", {moment['expired']:,} of them expired" if moment["expired"] else ""
    at = f"{moment['at'][:10]} UTC" if per == "day" else moment["at"]
    return f"  {at}  {moment['kind']}  {moment['greetings']:,}{expired}"


def pause(held: Mapping[str, Any]) -> str:
    """Return one pause as a line."""
    whom = held["person_id"] or "everyone"
    what = held["kind"] or "every kind"
    why = f", because: {held['reason']}" if held["reason"] else ""
    ended = f", resumed {held['resumed_at']}" if held.get("resumed_at") else ""
    return f"{held['pause_id']}  {whom}, {what}, since {held['paused_at']}{ended}{why}"


def cancellation(told: Mapping[str, Any]) -> str:
    """Return one cancellation as a line."""
    whom, what = told["person_id"] or "everyone", told["kind"] or "every kind"
    days = f"{told['first_day']} to {told['last_day']}"
    return f"called off for {whom}, {what}, {days}"
