"""Visits: what an ADT event does to an Encounter, whatever the order in which the events arrive.

The Encounter keeps its events in statusHistory and its places in location, both sorted by the time of the event, so that
a discharge that arrives before its admission still ends up behind it. Table: rules/hl7v2/visits.yaml.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.decisions.times import moment

_PACKAGE = "kangyun.commons.exchange"
_MOVES = {"A02", "A06", "A07", "A10", "A12", "A17"}
_OVER = {"finished", "cancelled", "entered-in-error"}
# After these nobody is awaited at a place any more, unless they say so themselves.
_ENDS_WAITING = {"A01", "A02", "A04", "A06", "A07", "A17", "A26"}


def status_after(event: str, *, ended: bool) -> str | None:
    """The status that an event gives to a visit; `ended` when the message tells the end of the visit (PV1-45)."""
    entry: dict[str, Any] = rules.load(_PACKAGE, "hl7v2/visits.yaml").map.get(event, {})
    return entry.get("ended") if ended and "ended" in entry else entry.get("status")


def needs_visit(event: str) -> bool:
    """Whether a message is about a visit, so that one without a visit number says nothing."""
    entry: dict[str, Any] = rules.load(_PACKAGE, "hl7v2/visits.yaml").map.get(event, {})
    return bool(entry.get("status") or entry.get("needs"))


def begin(
    encounter: dict[str, Any], event: str, occurred: str, place: dict[str, Any] | None,
    *, pending: dict[str, Any] | None = None, temporary: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The Encounter of one message: its fields with the status and places of the event.

    `place` is PV1-3, `pending` PV1-42, where the resident is to go, `temporary` PV1-11, where he is for the moment.
    """
    period = encounter.get("period", {})
    status = status_after(event, ended="end" in period)
    if status == "in-progress" and period.pop("end", None) and not period:
        del encounter["period"]
    encounter["status"] = status or "unknown"
    if status:
        encounter["statusHistory"] = [{"status": status, "period": {"start": occurred}}]
    # Only these say when the place was entered; every other message says where the visit is.
    start = occurred if event in _MOVES else period.get("start", occurred)
    if status == "planned":
        # Nobody is there yet; the place of the admission takes its place.
        places = [_awaited(one) for one in (place, pending, temporary) if one]
    else:
        places = [_stay(place, start)] if place else []
        places += [_stay(temporary, occurred)] if temporary and temporary is not place else []
        places += [_awaited(pending)] if pending and event != "A26" else []
    if places:
        encounter["location"] = places
    return encounter


def _stay(place: dict[str, Any], start: str) -> dict[str, Any]:
    return {"location": place, "status": "active", "period": {"start": start}}


def _awaited(place: dict[str, Any]) -> dict[str, Any]:
    return {"location": place, "status": "planned"}


def ends_waiting(event: str) -> bool:
    """Whether after an event the visit is awaited nowhere, unless its message says so itself."""
    return event in _ENDS_WAITING


def join(current: dict[str, Any] | None, incoming: dict[str, Any], occurred: str, *, waited: bool = False) -> dict[str, Any]:
    """The Encounter after an event: newest values win, older ones fill gaps, events and places are put in order.

    `occurred` is empty for a message that only mentions the visit; it fills gaps and no more. `waited`: the visit is awaited nowhere
    any more, unless the message says so itself.
    """
    if current is None:
        places = _places([], incoming.get("location", []))
        return _settled({**incoming, "location": places} if places else dict(incoming))
    log, news = current.get("statusHistory", []), incoming.get("statusHistory", [])
    newest = max((_start(entry) for entry in log), default=None)
    fresh = bool(occurred) and (newest is None or moment(occurred) >= newest)
    merged = {**current, **incoming} if fresh else {**incoming, **current}
    merged["period"] = _period(current, incoming, fresh=fresh)
    merged["statusHistory"] = _events([*log, *news])
    merged["location"] = _places(_held(current, incoming, waited=waited and fresh, fresh=fresh), incoming.get("location", []))
    for name in ("identifier", "diagnosis"):
        merged[name] = _together(current.get(name, []), incoming.get(name, []))
    return _settled({key: value for key, value in merged.items() if value})


def _period(current: dict[str, Any], incoming: dict[str, Any], *, fresh: bool) -> dict[str, Any]:
    old, new = current.get("period", {}), incoming.get("period", {})
    return {**old, **new} if fresh else {**new, **old}


def _settled(encounter: dict[str, Any]) -> dict[str, Any]:
    """Let the status be that of the latest event, end what has ended, and reopen what goes on."""
    log = encounter.get("statusHistory", [])
    if log:
        encounter["status"] = log[-1]["status"]
    ended = encounter["status"] in _OVER
    period = dict(encounter.get("period", {}))
    if ended and log and "end" not in period:
        period["end"] = log[-1]["period"]["start"]
    if encounter["status"] == "in-progress":
        period.pop("end", None)
    if period.get("start") and period.get("end") and moment(period["end"]) < moment(period["start"]):
        # A visit cannot end before it began; a sender's clock is wrong and the start is the safer of the two.
        period["end"] = period["start"]
    encounter["period"] = period
    if not period:
        del encounter["period"]
    if encounter.get("location"):
        encounter["location"] = _closed(encounter["location"], period.get("end"), over=ended)
    return encounter


def _events(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ordered: list[dict[str, Any]] = []
    for entry in sorted(entries, key=_start):
        bare = {"status": entry["status"], "period": {"start": entry["period"]["start"]}}
        if ordered and ordered[-1]["status"] == bare["status"]:
            continue
        ordered.append(bare)
    for earlier, later in pairwise(ordered):
        earlier["period"]["end"] = later["period"]["start"]
    return ordered


def _held(current: dict[str, Any], incoming: dict[str, Any], *, waited: bool, fresh: bool) -> list[dict[str, Any]]:
    """The places that are known already, without those where the visit is awaited no more."""
    told = fresh and any(one.get("status") == "planned" for one in incoming.get("location", []))
    return [one for one in current.get("location", []) if one.get("status") != "planned" or not (waited or told)]


def _places(held: list[dict[str, Any]], news: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the visit was, by the time, and at the end the one place where it is awaited."""
    ordered: list[dict[str, Any]] = []
    for entry in sorted((entry for entry in (*held, *news) if "period" in entry), key=_start):
        if not ordered or not _same_place(ordered[-1], entry):
            ordered.append(entry)
    # Documents name a place without saying when; it counts where no event tells of any.
    timeless = [entry for entry in (*held, *news) if "period" not in entry and entry.get("status") != "planned"]
    known = any(entry.get("status") == "planned" for entry in held)
    awaited = [entry for entry in (held if known else news) if entry.get("status") == "planned"]
    return [*(ordered or _together([], timeless)), *(one for one in awaited if not ordered or not _same_place(ordered[-1], one))]


def _closed(places: list[dict[str, Any]], end: str | None, *, over: bool) -> list[dict[str, Any]]:
    closed: list[dict[str, Any]] = []
    stays = [place for place in places if "period" in place]
    ends = [*(place["period"]["start"] for place in stays[1:]), end]
    for place, until in zip(stays, ends if stays else [], strict=True):
        start = place["period"]["start"]
        # Clocks of senders disagree; no stay ends before it began.
        until = max(until, start, key=moment) if until else until  # noqa: PLW2901 - the same end, made possible
        period = {"start": start, **({"end": until} if until else {})}
        closed.append({**place, "status": "completed" if until else "active", "period": period})
    # Who has left is awaited nowhere.
    return [*closed, *(place for place in places if "period" not in place and not (stays and over))]


def _together(current: list[dict[str, Any]], incoming: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*current, *(one for one in incoming if one not in current)]


def _same_place(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["location"].get("reference") == other["location"].get("reference"))


def _start(entry: dict[str, Any]) -> Any:
    return moment(entry["period"]["start"])
