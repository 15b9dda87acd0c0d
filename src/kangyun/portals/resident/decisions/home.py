"""What a resident's home shows first: the next booking, talks that are open, medicine to take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kangyun.base.web import MenuEntry
from kangyun.base.web.display import moment

Node = dict[str, Any]

# The tiles in the order in which residents look for them; what is not here comes after.
_FIRST = ("/consult", "/appointments", "/resident/prescriptions", "/resident/parcels", "/resident/record", "/resident/card", "/payments", "/resident/insurance")
_BOOKED = {"booked", "arrived", "checked-in", "waitlist"}
_OPEN = {"planned", "arrived", "in-progress", "onleave"}
_MOST = 3


@dataclass(frozen=True, slots=True)
class Coming:
    """Something that comes: `when` a FHIR instant, what, with whom or where."""

    when: str
    what: str
    where: str


@dataclass(frozen=True, slots=True)
class Talk:
    """A consultation that is open: id, state of its Encounter, kind text or video, with which doctor."""

    id: str
    state: str
    kind: str
    doctor: str


@dataclass(frozen=True, slots=True)
class Course:
    """A medicine that is being taken, and how."""

    name: str
    how: str


def ordered(entries: Iterable[MenuEntry]) -> list[MenuEntry]:
    """The menu as tiles: what residents look for first, the page itself and the start page left out."""
    places = {path: number for number, path in enumerate(_FIRST)}
    shown = [one for one in entries if one.path not in {"/", "/resident/"}]
    return sorted(shown, key=lambda one: (places.get(one.path, len(places)), one.order))


def coming(appointments: Iterable[Node], now: datetime) -> list[Coming]:
    """The next bookings, soonest first."""
    found = [(at, one) for one in appointments if one.get("status") in _BOOKED and (at := moment(str(one.get("start", "")))) and at >= now]
    found.sort(key=lambda pair: pair[0])
    named = [(one, _first_text(one, "serviceType", "specialty", "appointmentType")) for _, one in found[:_MOST]]
    return [Coming(str(one["start"]), what, _with(one, what)) for one, what in named]


def _with(appointment: Node, what: str) -> str:
    """Who and where, without what is said already."""
    actors = [one.get("actor", {}) for one in appointment.get("participant", ())]
    shown = (str(one["display"]) for one in actors if one.get("display") and not str(one.get("reference", "")).startswith("Patient/"))
    return " · ".join(dict.fromkeys(one for one in shown if one != what))


def talks(encounters: Iterable[Node]) -> list[Talk]:
    """Consultations on line that wait or go on."""
    found = [one for one in encounters if one.get("class", {}).get("code") == "VR" and one.get("status") in _OPEN]
    return [Talk(str(one["id"]), str(one["status"]), _kind(one), _doctor(one)) for one in found[:_MOST]]


def _kind(encounter: Node) -> str:
    return next((str(tag.get("code", "")) for tag in encounter.get("meta", {}).get("tag", ()) if str(tag.get("system", "")).endswith(":kind")), "")


def _doctor(encounter: Node) -> str:
    return next((str(one["individual"]["display"]) for one in encounter.get("participant", ()) if one.get("individual", {}).get("display")), "")


def courses(requests: Sequence[Node]) -> list[Course]:
    """The medicines of orders that are active, each once, the newest first."""
    found: dict[str, Course] = {}
    for one in sorted(requests, key=lambda one: str(one.get("authoredOn", "")), reverse=True):
        name = _first_text(one, "medicationCodeableConcept")
        if name and one.get("status") == "active":
            found.setdefault(name, Course(name, next((str(d["text"]) for d in one.get("dosageInstruction", ()) if d.get("text")), "")))
    return list(found.values())[: _MOST * 2]


def _first_text(node: Node, *names: str) -> str:
    for name in names:
        value = node.get(name)
        for one in value if isinstance(value, list) else [value or {}]:
            text = one.get("text") or next((coding["display"] for coding in one.get("coding", ()) if coding.get("display")), "")
            if text:
                return str(text)
    return ""
