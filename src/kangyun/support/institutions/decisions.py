"""What an institution must tell, and how it stands in the record: an Organization and a Location."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from kangyun.base import rules
from kangyun.commons.population import is_credit_code
from kangyun.support.institutions.model import CODE_SYSTEM, KIND_SYSTEM, SENDER_SYSTEM, Institution, Kind, Step

_PACKAGE = "kangyun.support.institutions"
_TYPES = "http://terminology.hl7.org/CodeSystem/organization-type"
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_LONGEST = {"name": 100, "english": 100, "address": 200, "phone": 40}


@cache
def _kinds(on: object) -> dict[str, Kind]:
    del on
    rows = rules.load(_PACKAGE, "kinds.yaml").table
    return {row["kind"]: Kind(row["kind"], row["title"], row["type"], row["coded"], tuple(row["roles"])) for row in rows}


def kinds() -> dict[str, Kind]:
    """The kinds of institutions by name, as in rules/kinds.yaml."""
    return _kinds(id(rules.load(_PACKAGE, "kinds.yaml")))


def faults(wish: Institution) -> list[str]:
    """The fields that cannot be right: name, kind, code (GB 32100-2015), or those that are too long."""
    found = [name for name, most in _LONGEST.items() if len(getattr(wish, name)) > most]
    kind = kinds().get(wish.kind)
    found += ["name"] * (not wish.name)
    found += ["kind"] * (kind is None)
    needs = kind is not None and kind.coded
    found += ["code"] * ((needs or bool(wish.code)) and not is_credit_code(wish.code))
    return found


def id_of(wish: Institution) -> str:
    """The id of its Organization: told by the credit code, else by name and parent, so that nobody is added twice."""
    if wish.id:
        return wish.id
    told = wish.code or f"{wish.parent}|{wish.name}"
    return "org-" + hashlib.sha256(told.encode()).hexdigest()[:24]


def organization(wish: Institution, kept: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The Organization; what `kept` says beside it stays, such as the identifiers by which messages name it."""
    base = dict(kept or {})
    whole: dict[str, Any] = base | {
        "resourceType": "Organization", "id": id_of(wish), "active": wish.active, "name": wish.name,
        "identifier": _identifiers(wish, base.get("identifier", ())), "type": _type(wish),
        "_name": _english(wish), "address": [{"text": wish.address}] if wish.address else None,
        "telecom": [{"system": "phone", "value": wish.phone}] if wish.phone else None,
        "partOf": {"reference": f"Organization/{wish.parent}"} if wish.parent else None,
    }
    return {name: value for name, value in whole.items() if value not in (None, [])}


def _identifiers(wish: Institution, kept: Sequence[Mapping[str, Any]]) -> list[Any]:
    own = {CODE_SYSTEM: wish.code, SENDER_SYSTEM: wish.sender}
    system, _, number = wish.identifier.rpartition("|")
    own |= {system: number} if system else {}
    named = [{"use": "official", "system": system, "value": value} for system, value in own.items() if value]
    return [*named, *(one for one in kept if not own.get(str(one.get("system"))))]


def _type(wish: Institution) -> list[Any]:
    kind = kinds()[wish.kind]
    return [{"coding": [{"system": KIND_SYSTEM, "code": kind.kind, "display": kind.titles["zh"]}, {"system": _TYPES, "code": kind.type}]}]


def _english(wish: Institution) -> dict[str, Any] | None:
    if not wish.english:
        return None
    told = [{"url": "lang", "valueCode": "en"}, {"url": "content", "valueString": wish.english}]
    return {"extension": [{"url": _TRANSLATION, "extension": told}]}


def location(organization_: Mapping[str, Any]) -> dict[str, Any]:
    """The place where an institution works; it has the id of the Organization."""
    whole: dict[str, Any] = {
        "resourceType": "Location", "id": organization_["id"], "status": "active", "name": organization_["name"], "mode": "instance",
        "telecom": organization_.get("telecom"), "address": next(iter(organization_.get("address", ())), None),
        "managingOrganization": {"reference": f"Organization/{organization_['id']}", "display": organization_["name"]},
    }
    return {name: value for name, value in whole.items() if value}


def sender_organization(id_: str, sender: str, found: Institution, kept: Mapping[str, Any] | None) -> dict[str, Any]:
    """The Organization of a system that sends for an institution: part of it, and no institution itself."""
    own = [{"system": SENDER_SYSTEM, "value": sender}]
    base: dict[str, Any] = {"resourceType": "Organization", "id": id_, "active": True, "identifier": own, "name": found.name}
    return base | dict(kept or {}) | {"partOf": {"reference": f"Organization/{found.id}", "display": found.name}}


def institution(organization_: Mapping[str, Any]) -> Institution:
    """What an Organization says of an institution."""
    numbers = {str(one.get("system")): str(one.get("value", "")) for one in organization_.get("identifier", ())}
    codings = [one for type_ in organization_.get("type", ()) for one in type_.get("coding", ())]
    return Institution(
        name=str(organization_.get("name", "")), kind=next((str(one["code"]) for one in codings if one.get("system") == KIND_SYSTEM), ""),
        code=numbers.get(CODE_SYSTEM, ""), id=str(organization_["id"]), parent=_id(organization_.get("partOf")),
        english=_told_in_english(organization_), address=_address(organization_), phone=_phone(organization_),
        sender=numbers.get(SENDER_SYSTEM, ""), active=bool(organization_.get("active", True)),
    )


def _id(reference: Mapping[str, Any] | None) -> str:
    return str((reference or {}).get("reference", "")).removeprefix("Organization/")


def _told_in_english(organization_: Mapping[str, Any]) -> str:
    for extension in organization_.get("_name", {}).get("extension", ()):
        told = {one["url"]: one for one in extension.get("extension", ())}
        if extension["url"] == _TRANSLATION and told.get("lang", {}).get("valueCode") == "en":
            return str(told["content"]["valueString"])
    return ""


def _address(organization_: Mapping[str, Any]) -> str:
    first = next(iter(organization_.get("address", ())), {})
    return str(first.get("text") or "".join(first.get("line", ())))


def _phone(organization_: Mapping[str, Any]) -> str:
    return next((str(one.get("value", "")) for one in organization_.get("telecom", ()) if one.get("system") == "phone"), "")


def steps(found: Institution, staff: Mapping[str, int], *, logo: bool, below: int, heard: bool) -> list[Step]:
    """What is done of moving in. `staff`: how many accounts of each role; `heard`: a message came from its system."""
    home = f"/institutions/{found.id}"
    others = sum(number for role, number in staff.items() if role != "institution_admin")
    return [
        Step("added", done=True, href=home),
        Step("administrator", done=staff.get("institution_admin", 0) > 0, href=f"{home}/staff"),
        Step("letterhead", done=bool(found.address and found.phone), href=f"{home}/letterhead"),
        Step("staff", done=others > 0, href=f"{home}/staff"),
        Step("logo", done=logo, href=f"{home}/letterhead", optional=True),
        Step("below", done=below > 0, href=f"/institutions/add?parent={found.id}", optional=True),
        Step("system", done=heard, href=f"{home}/system", optional=True),
    ]


def check_example(_rule: rules.Rule, given: Mapping[str, Any]) -> list[str]:
    """The faults of an institution of a kind with a credit code."""
    return faults(Institution("云溪村卫生室", str(given["kind"]), str(given["code"])))
