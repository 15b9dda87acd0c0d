"""What a resident wishes, in plain words, and the Consent that says it: from one to the other and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any, Literal, TypeAlias

from kangyun.base import clock
from kangyun.base.rules import Rule, load
from kangyun.commons.access.decisions.sensitive import classes, classes_of, label_of

Json: TypeAlias = dict[str, Any]
Kind = Literal["close", "open", "sensitive", "research"]
Who = Literal["these", "others", "everybody"]

KINDS: tuple[Kind, ...] = ("close", "open", "sensitive", "research")
# Whom each kind of wish may be about; `others` are all but these.
WHO: Mapping[Kind, tuple[Who, ...]] = {
    "close": ("these", "others", "everybody"), "open": ("these",), "sensitive": ("these", "everybody"), "research": ("everybody", "these"),
}
ANY = "any"
_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_RECIPIENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "PRCP"}]}
_TYPES = "http://hl7.org/fhir/resource-types"
_CATEGORY = {"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}
_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_CHINA = timezone(timedelta(hours=8))
_MOST = 50


@dataclass(frozen=True, slots=True)
class Wish:
    """One decision of a resident.

    institutions: ids of Organizations. kinds: words of rules/consent.yaml, empty: all of them. classes: of
    rules/sensitive.yaml. purpose: a word of the rule, or `any`. until: the last day; None: until it is withdrawn.
    """

    kind: Kind
    who: Who
    institutions: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    purpose: str = ANY
    until: date | None = None


def _rule() -> Rule:
    return load("kangyun.commons.access", "consent.yaml")


def kinds() -> tuple[str, ...]:
    """The words for kinds of data, in the order of the page."""
    return tuple(_rule().map)


def terms() -> tuple[int, ...]:
    """The terms that the page offers, in months; 0: until it is withdrawn."""
    return tuple(_rule().body["terms"])


def purposes(kind: Kind) -> tuple[str, ...]:
    """The purposes that the page offers for a kind of wish, the usual one first."""
    offered: Mapping[Kind, tuple[str, ...]] = {
        "close": (ANY, "payment", "research"), "open": ("care", ANY), "sensitive": ("care", ANY), "research": ("research",),
    }
    return offered[kind]


def is_guarded(born: str, today: date) -> bool:
    """Whether somebody born then is too young to decide; an unknown birth date is no reason to refuse."""
    parts = [int(one) for one in born.split("-") if one.isdecimal()]
    if not parts:
        return False
    year, month, day = (*parts, 12, 28)[:3] if len(parts) == 1 else (*parts, 28)[:3]
    return (today.year - year - ((today.month, today.day) < (month, day))) < _rule().body["guarded"]


def until(months: int, today: date) -> date | None:
    """The last day of a term that begins today; None for one without an end."""
    if not months:
        return None
    place = today.month - 1 + months
    year, month = today.year + place // 12, place % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(today.day, (following - timedelta(days=1)).day))


def faults(wish: Wish) -> list[str]:
    """The keys of what a wish lacks."""
    found: list[str] = []
    wrong = wish.who not in WHO[wish.kind] or not all(_ID.fullmatch(one) for one in wish.institutions)
    if wrong or (wish.who != "everybody" and not wish.institutions) or len(wish.institutions) > _MOST:
        found.append("access.consent-who")
    lacking = not wish.classes if wish.kind == "sensitive" else not set(wish.kinds) <= set(kinds())
    if lacking or not set(wish.classes) <= set(classes()):
        found.append("access.consent-what")
    return found


def consent_of(wish: Wish, patient: str, at: datetime, guardian: str = "") -> Json:
    """The Consent of a wish; `guardian` is the account of whoever decided for the resident."""
    denies = wish.kind == "close"
    made: Json = {
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [{"system": _SCOPE, "code": "research" if wish.kind == "research" else "patient-privacy"}]},
        "category": [_CATEGORY], "patient": {"reference": f"Patient/{patient}"}, "dateTime": clock.instant(at),
        "policyRule": {"coding": [{"system": _ACT, "code": "OPTOUT" if denies else "OPTIN"}]}, "provision": _provision(wish),
    }
    if guardian:
        made["performer"] = [{"type": "RelatedPerson", "identifier": {"system": "urn:kangyun:account", "value": guardian}}]
    return made


def _provision(wish: Wish) -> Json:
    made: Json = {"type": "deny" if wish.kind == "close" else "permit"}
    actors = [{"role": _RECIPIENT, "reference": {"reference": f"Organization/{one}"}} for one in wish.institutions]
    if wish.until:
        made["period"] = {"end": wish.until.isoformat()}
    if wish.purpose != ANY:
        made["purpose"] = [{"system": _REASON, "code": _rule().body["write"][wish.purpose]}]
    if wish.kinds and set(wish.kinds) != set(kinds()):
        made["class"] = [{"system": _TYPES, "code": one} for kind in wish.kinds for one in _rule().map[kind]]
    if wish.classes:
        made["securityLabel"] = [label_of(one) for one in wish.classes]
    if wish.who == "these":
        made["actor"] = actors
    elif wish.who == "others":
        made["provision"] = [{"type": "permit", "actor": actors}]
    return made


def wish_of(consent: Mapping[str, Any]) -> Wish | None:
    """What a Consent of these pages says; None for one that says something that they have no words for."""
    provision: Json = consent.get("provision", {})
    inner: list[Json] = provision.get("provision", [])
    kind = _kind_of(consent, provision)
    plain = set(provision) <= {"type", "period", "purpose", "class", "securityLabel", "actor", "provision"}
    if kind is None or not plain or len(inner) > 1 or any(set(one) - {"type", "actor"} for one in inner):
        return None
    named = _institutions(inner[0] if inner else provision)
    types = _kinds_of(str(one.get("code", "")) for one in provision.get("class", ()))
    purpose = _purpose_of(provision.get("purpose", ()))
    if named is None or types is None or purpose is None:
        return None
    end = str(provision.get("period", {}).get("end", ""))[:10]
    who: Who = "others" if inner else "these" if named else "everybody"
    said = tuple(one for one in classes() if one in classes_of(provision.get("securityLabel", ())))
    return Wish(kind, who, named, types, said, purpose, _day(end))


def _kind_of(consent: Mapping[str, Any], provision: Json) -> Kind | None:
    scopes = {one.get("code") for one in consent.get("scope", {}).get("coding", ())}
    if provision.get("type") == "deny":
        return "close"
    if provision.get("type") != "permit":
        return None
    return "research" if "research" in scopes else "sensitive" if provision.get("securityLabel") else "open"


def _institutions(provision: Json) -> tuple[str, ...] | None:
    named = [str(one.get("reference", {}).get("reference", "")) for one in provision.get("actor", ())]
    return tuple(one.removeprefix("Organization/") for one in named) if all(one.startswith("Organization/") for one in named) else None


def _kinds_of(types: Iterable[str]) -> tuple[str, ...] | None:
    """The kinds that these types make up; None when they are not whole kinds."""
    said = set(types)
    found = tuple(kind for kind, members in _rule().map.items() if set(members) <= said)
    return found if {one for kind in found for one in _rule().map[kind]} == said else None


def _purpose_of(codings: Sequence[Json]) -> str | None:
    if not codings:
        return ANY
    return _rule().body["purposes"].get(codings[0].get("code")) if len(codings) == 1 else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def is_over(consent: Mapping[str, Any], today: date) -> bool:
    """Whether a Consent is withdrawn, or its last day is past."""
    end = _day(str(consent.get("provision", {}).get("period", {}).get("end", ""))[:10])
    return consent.get("status") != "active" or (end is not None and end < today)


def today(now: datetime) -> date:
    """The day in China."""
    return now.astimezone(_CHINA).date()
