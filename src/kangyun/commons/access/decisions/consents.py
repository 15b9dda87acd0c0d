"""What a FHIR Consent closes and opens, as boxes that one statement can ask: pure.

Only Consents about privacy and research are read. What one says that cannot be kept exactly (an actor that is no
institution and no practitioner, single resources, unknown codes) is kept more strictly: a denial becomes wider, a
permission empty. A denial that names exceptions becomes a denial with holes, a permission likewise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import Any, TypeAlias

from kangyun.base.fhir import definitions
from kangyun.base.rules import Rule, load
from kangyun.commons.access.decisions import policy, sensitive
from kangyun.commons.records import hash64, type_code

Json: TypeAlias = dict[str, Any]

EVERYBODY = 0
_SCOPES = {"patient-privacy", "research"}
_TYPES = {"http://hl7.org/fhir/resource-types", "http://hl7.org/fhir/fhir-types", ""}
# Narrowings that no index entry can tell.
_UNKEPT = ("code", "data", "dataPeriod")
_ACTIONS = {"access", "use", "disclose"}
_WHO = re.compile(r"(?:.*/)?((?:Organization|Practitioner)/[A-Za-z0-9.\-]{1,64})(?:/_history/.+)?")
_PATIENT = re.compile(r"(?:.*/)?(Patient/[A-Za-z0-9.\-]{1,64})(?:/_history/.+)?")
_CHINA = timezone(timedelta(hours=8))
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Box:
    """A part of what can be asked. who: keys of institutions and practitioners, EVERYBODY for all of them.

    types: type codes; labels: tokens of sensitive classes; purposes: our words; None: all. spared: keys of those for
    whom it does not hold, where it holds for everybody. It holds from `starts` until before `ends`.
    """

    who: frozenset[int]
    types: frozenset[int] | None
    labels: frozenset[int] | None
    purposes: frozenset[str] | None
    starts: datetime
    ends: datetime
    spared: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a Consent says: whose record it is about (key of a Patient), and what is closed and opened."""

    resident: int | None
    closed: tuple[Box, ...] = ()
    opened: tuple[Box, ...] = ()


def meaning(consent: Mapping[str, Any]) -> Meaning:
    """Read a Consent; one that is not in force, or about something else, closes and opens nothing."""
    patient = _PATIENT.fullmatch(str(consent.get("patient", {}).get("reference", "")))
    scopes = {str(one.get("code", "")) for one in consent.get("scope", {}).get("coding", ())}
    if patient is None or consent.get("status") != "active" or not scopes & _SCOPES:
        return Meaning(hash64(patient[1]) if patient else None)
    research = "patient-privacy" not in scopes
    closed: list[Box] = []
    opened: list[Box] = []
    for one in _roots(consent):
        if one["type"] == "deny":
            closed += _closed(one)
            # Whoever is excepted from a denial of a class is meant to see the class.
            opened += [box for inner in _inner(one, "permit") for box in _opened(inner) if box.labels is not None]
        else:
            opened += _opened(one)
            closed += [box for inner in _inner(one, "deny") for box in _closed(inner)]
    limit = _for_research if research else _as_said
    return Meaning(hash64(patient[1]), tuple(map(limit, closed)), tuple(map(limit, opened)))


def _for_research(box: Box) -> Box:
    return box if box.purposes is not None else replace(box, purposes=frozenset({"research"}))


def _as_said(box: Box) -> Box:
    return box


def _roots(consent: Mapping[str, Any]) -> list[Json]:
    """The provisions to begin with: the one of the Consent, or where it takes no side, each of those inside."""
    provision: Json = consent.get("provision", {})
    if provision.get("type") in {"deny", "permit"}:
        return [provision]
    rules = {str(one.get("code", "")) for one in consent.get("policyRule", {}).get("coding", ())}
    if "OPTOUT" in rules:
        return [{**provision, "type": "deny"}]
    period = {"period": provision["period"]} if "period" in provision else {}
    return [{**period, **one} for one in provision.get("provision", ()) if one.get("type") in {"deny", "permit"}]


def _inner(provision: Json, type_: str) -> list[Json]:
    """The exceptions of a provision; what they do not say, the provision says for them."""
    inherited = {key: provision[key] for key in ("actor", "class", "securityLabel", "purpose", "period") if key in provision}
    return [{**inherited, **one} for one in provision.get("provision", ()) if one.get("type") == type_]


def _closed(provision: Json) -> list[Box]:
    box = _box(provision, denies=True)
    return _without([box] if box else [], [hole for inner in _inner(provision, "permit") for hole in _opened(inner)])


def _opened(provision: Json) -> list[Box]:
    box = _box(provision, denies=False)
    return _without([box] if box else [], [hole for inner in _inner(provision, "deny") for hole in _closed(inner)])


def _box(provision: Json, *, denies: bool) -> Box | None:
    """What a provision is about, without its exceptions; None when a permission cannot be kept."""
    who = _who(provision.get("actor", ()), denies=denies)
    types = _codes(provision.get("class", ()), _type, denies=denies)
    labels = _codes(provision.get("securityLabel", ()), _labels, denies=denies)
    purposes = frozenset(map(_purpose, provision.get("purpose", ()))) or None
    starts, ends = _span(provision.get("period", {}), denies=denies)
    void = not who or types == frozenset() or labels == frozenset() or starts >= ends
    unkept = any(provision.get(key) for key in _UNKEPT) or _other_action(provision)
    return None if void or (unkept and not denies) else Box(who, types, labels, purposes, starts, ends)


def _who(actors: Sequence[Json], *, denies: bool) -> frozenset[int]:
    if not actors:
        return frozenset({EVERYBODY})
    found = [_WHO.fullmatch(str(actor.get("reference", {}).get("reference", ""))) for actor in actors]
    if denies and not all(found):
        return frozenset({EVERYBODY})
    return frozenset(hash64(one[1]) for one in found if one)


def _codes(codings: Iterable[Json], read: Any, *, denies: bool) -> frozenset[int] | None:
    """What codings stand for; None: all. An unknown one widens a denial and narrows a permission."""
    found = [frozenset[int](read(one)) for one in codings]
    if not found or (denies and not all(found)):
        return None
    return frozenset[int]().union(*found)


def _type(coding: Json) -> set[int]:
    try:
        return {type_code(coding["code"])} if coding.get("system", "") in _TYPES else set()
    except KeyError:
        return set()


def _labels(coding: Json) -> set[int]:
    return {sensitive.token(one) for one in sensitive.classes_of([coding])}


def _purpose(coding: Json) -> str:
    code = str(coding.get("code", ""))
    return _rule().body["purposes"].get(code, f"other {code}")


def _other_action(provision: Json) -> bool:
    said = {str(coding.get("code", "")) for one in provision.get("action", ()) for coding in one.get("coding", ())}
    return bool(said) and not said & _ACTIONS


def _span(period: Json, *, denies: bool) -> tuple[datetime, datetime]:
    """From when until before when; a date means its whole day in China, and what cannot be read widens a denial."""
    try:
        first = _moments(period["start"])[0] if "start" in period else _FIRST
        last = _moments(period["end"])[1] if "end" in period else _LAST
    except (ValueError, OverflowError):
        return (_FIRST, _LAST) if denies else (_LAST, _FIRST)
    return first, last


def _moments(text: str) -> tuple[datetime, datetime]:
    """The first moment that a dateTime means, and the one after the last."""
    if "T" in text:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=_CHINA)
        return moment, moment
    year, month, day = (*map(int, text.split("-")), 0, 0)[:3]
    first = date(year, month or 1, day or 1)
    if day:
        last = first + timedelta(days=1)
    else:
        last = date(year + (not month or month == 12), month % 12 + 1 if month else 1, 1)
    return _midnight(first), _midnight(last)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=_CHINA)


def _without(boxes: list[Box], holes: Iterable[Box]) -> list[Box]:
    for hole in holes:
        boxes = [part for box in boxes for part in _cut(box, hole)]
    return boxes


def _cut(box: Box, hole: Box) -> list[Box]:
    """The box without the hole: what lies beside it, and what lies in it for those whom the hole leaves out."""
    if hole.labels is not None and (box.labels is None or not box.labels <= hole.labels):
        return _cut_labels(box, hole)
    parts: list[Box] = []
    starts, ends = max(box.starts, hole.starts), min(box.ends, hole.ends)
    types = _common(box.types, hole.types)
    purposes = _common(box.purposes, hole.purposes)
    if starts >= ends or types == frozenset() or purposes == frozenset():
        return [box]
    if box.starts < starts:
        parts.append(replace(box, ends=starts))
    if ends < box.ends:
        parts.append(replace(box, starts=ends))
    inside = replace(box, starts=starts, ends=ends)
    if types != box.types:
        parts.append(replace(inside, types=(box.types or _every_type()) - (types or frozenset())))
        inside = replace(inside, types=types)
    if purposes != box.purposes:
        parts.append(replace(inside, purposes=(box.purposes or every_purpose()) - (purposes or frozenset())))
        inside = replace(inside, purposes=purposes)
    return parts + _for_others(inside, hole)


def _cut_labels(box: Box, hole: Box) -> list[Box]:
    """A hole for some classes only: it can be cut out of a box of classes, else the box stays as it is."""
    if box.labels is None or not box.labels & (hole.labels or frozenset()):
        return [box]
    beside = replace(box, labels=box.labels - (hole.labels or frozenset()))
    return [beside, *_cut(replace(box, labels=box.labels & (hole.labels or frozenset())), hole)]


def _for_others(inside: Box, hole: Box) -> list[Box]:
    if EVERYBODY in hole.who and not hole.spared:
        return []
    if EVERYBODY in hole.who:
        kept = hole.spared - inside.spared if EVERYBODY in inside.who else inside.who & hole.spared
        return [replace(inside, who=kept, spared=frozenset())] if kept else []
    if EVERYBODY in inside.who:
        return [replace(inside, spared=inside.spared | hole.who)]
    rest = inside.who - hole.who
    return [replace(inside, who=rest)] if rest else []


def _common(one: frozenset[Any] | None, other: frozenset[Any] | None) -> frozenset[Any] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


@cache
def _every_type() -> frozenset[int]:
    return frozenset(map(type_code, definitions.load().resources))


@cache
def every_purpose() -> frozenset[str]:
    """All purposes that a caller may have."""
    return frozenset(_rule().body["write"]).union(*(role.purposes for role in policy.roles().values()))


def _rule() -> Rule:
    return load("kangyun.commons.access", "consent.yaml")


def check_example(_rule: Rule, given: Mapping[str, Any]) -> Json:
    """What a Consent in short closes and opens, sorted."""
    coded = {"scope": {"coding": [{"code": given.get("scope", "patient-privacy")}]}, "status": given.get("status", "active")}
    said = meaning({**coded, "patient": {"reference": "Patient/p"}, "provision": _spelled(given["provision"])})
    return {"closed": sorted(map(_told, _each(said.closed)), key=str), "opened": sorted(map(_told, _each(said.opened)), key=str)}


def _spelled(short: Json) -> Json:
    made: Json = {"type": short["type"], "provision": [_spelled(one) for one in short.get("provision", ())]}
    for key in ("class", "purpose"):
        if key in short:
            made[key] = [{"code": code} for code in short[key]]
    if "actor" in short:
        names = {one: f"Organization/{one}" if one.startswith("O") else f"Group/{one}" for one in short["actor"]}
        made["actor"] = [{"reference": {"reference": names[one]}} for one in short["actor"]]
    return made


def _each(boxes: Iterable[Box]) -> list[Box]:
    return [replace(box, who=frozenset({one})) for box in boxes for one in box.who]


def _told(box: Box) -> list[Any]:
    known = {hash64(f"Organization/{name}"): name for name in ("O1", "O2")} | {EVERYBODY: "everybody"}
    types = sorted(name for name in definitions.load().resources if box.types and type_code(name) in box.types)
    return [
        known[next(iter(box.who))], "all" if box.types is None else types, "all" if box.purposes is None else sorted(box.purposes),
        sorted(known[one] for one in box.spared),
    ]
