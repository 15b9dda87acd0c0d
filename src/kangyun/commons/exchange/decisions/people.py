"""Converters for people: names, addresses, telephone numbers, identifiers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from kangyun.base import rules
from kangyun.commons.exchange.decisions import codes, times
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.model import Fault
from kangyun.commons.population import ID_NUMBER_SYSTEM, is_id_number, looks_like_id_number, normal_id_number

_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff·]+")
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MOBILE = re.compile(r"(\+?86[- ]?)?1\d{10}")
_VALIDITY = 10_000_000


def names(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, Any]]:
    """XPN to HumanName; a whole Chinese name in one component is parted by the list of compound surnames."""
    found = [human_name(segment, one, sheet.sender, options.get("use")) for one in segment.repetitions(field)]
    return [name for name in found if name]


def human_name(segment: Segment, repetition: str, sender: Sender, use: str | None = None) -> dict[str, Any]:
    """One HumanName from one XPN, or nothing."""
    part = [*segment.parts(repetition), *[""] * 8]
    family, given = part[0], [one for one in part[1:3] if one]
    if not family and not given:
        return {}
    if not given and _HAN.fullmatch(family):
        family, given = part_chinese_name(family)
    return _named(family, given, part, use or codes.find("name_use", part[6], sender))


def _named(family: str, given: list[str], part: list[str], use: str | None) -> dict[str, Any]:
    chinese = bool(_HAN.fullmatch(family + "".join(given)))
    text = family + "".join(given) if chinese else " ".join(one for one in (*given, family) if one)
    name: dict[str, Any] = {"use": use} if use else {}
    name["text"] = text
    if family:
        name["family"] = family
    if given:
        name["given"] = given
    prefixes, suffixes = part[4], [one for one in (part[3], part[5]) if one]
    if prefixes:
        name["prefix"] = [prefixes]
    if suffixes:
        name["suffix"] = suffixes
    kind = {"A": "ABC", "I": "IDE", "P": "SYL"}.get(part[7]) or ("IDE" if chinese else None)
    if kind:
        name["extension"] = [{"url": _REPRESENTATION, "valueCode": kind}]
    return name


def part_chinese_name(whole: str) -> tuple[str, list[str]]:
    """Family and given names of a name written in one piece; minority names with a dot stay whole."""
    if "·" in whole or len(whole) < 2:
        return whole, []
    compound = rules.load("kangyun.commons.exchange", "compound_surnames.yaml").value
    size = 2 if whole[:2] in compound and len(whole) > 2 else 1
    return whole[:size], [whole[size:]]


def mother(segment: Segment, field: int, sheet: Sheet, _: dict[str, Any]) -> str | None:
    """The mother's maiden name as text."""
    found = names(segment, field, sheet, {})
    return found[0]["text"] if found else None


def addresses(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, Any]]:
    """XAD to Address."""
    found = [_address(segment, one, sheet.sender, options) for one in segment.repetitions(field)]
    return [address for address in found if address]


def _address(segment: Segment, repetition: str, sender: Sender, options: dict[str, Any]) -> dict[str, Any]:
    part = [*segment.parts(repetition), *[""] * 9]
    street = [segment.part(repetition, 1, n) for n in (1, 2, 3)]
    lines = [" ".join(one for one in street if one), part[1]]
    plain = {
        "line": [one for one in lines if one],
        "city": part[2],
        "district": part[8],
        "state": part[3],
        "postalCode": part[4],
        "country": part[5],
    }
    address: dict[str, Any] = {name: value for name, value in plain.items() if value}
    if not address:
        return {}
    kind = codes.find("address_use", part[6], sender) or {}
    use = options.get("use")
    return {**({"use": use} if use else {}), **kind, "text": _written(plain), **address}


def _written(part: dict[str, Any]) -> str:
    line = " ".join(part["line"])
    if _HAN.search(line + part["city"] + part["state"]):
        return "".join(one for one in (part["state"], part["city"], line) if one)
    return ", ".join(one for one in (line, part["city"], part["state"], part["postalCode"], part["country"]) if one)


def telecoms(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, Any]]:
    """XTN to ContactPoint: old whole numbers, new parts, and e-mail."""
    found: list[dict[str, Any]] = []
    for repetition in segment.repetitions(field):
        part = [*segment.parts(repetition), *[""] * 12]
        use = codes.find("telecom_use", part[1], sheet.sender) or options.get("use")
        system = codes.find("telecom_equipment", part[2], sheet.sender)
        found += _contacts(part, use, system)
    return found


def _contacts(part: list[str], use: str | None, equipment: dict[str, str] | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    number = part[0] or part[11] or _assembled(part)
    mail = part[3] or (number if "@" in number else "")
    if number and "@" not in number:
        contact: dict[str, Any] = {"system": "phone", "value": number, **({"use": use} if use else {})}
        if _MOBILE.fullmatch(number):
            contact["use"] = "mobile"
        contact.update(equipment or {})
        # An extension or an address stands where systems write "Internet" beside a plain number.
        found.append({**contact, "system": "phone"} if contact["system"] in {"email", "url"} else contact)
    if "@" in mail:
        found.append({"system": "email", "value": mail, **({"use": use} if use in {"home", "work"} else {})})
    return found


def _assembled(part: list[str]) -> str:
    country, area, local, extension = part[4:8]
    if not local:
        return ""
    number = " ".join(one for one in (f"+{country}" if country else "", area, local) if one)
    return f"{number} ext. {extension}" if extension else number


def identifiers(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, Any]]:
    """CX to Identifier. Raises Fault when a resident ID number has a wrong check digit."""
    found = [identifier(segment, one, sheet.sender, options.get("type", "")) for one in segment.repetitions(field)]
    return [one for one in found if one]


def identifier(segment: Segment, repetition: str, sender: Sender, kind: str = "") -> dict[str, Any]:
    """One Identifier from one CX; `kind` is the type where the field names none. Raises Fault."""
    part = [*segment.parts(repetition), *[""] * 10]
    value, kind = part[0], part[4] or kind
    if not value:
        return {}
    national = codes.find("identifier_systems", kind, sender)
    if national == ID_NUMBER_SYSTEM or (not part[3] and looks_like_id_number(value)):
        return id_number(value)
    authority = [segment.part(repetition, 4, n) for n in (1, 2, 3)]
    system = national or system_of(authority, kind, sender)
    return {**_typed(kind), "system": system, "value": value, **_validity(part)}


def id_number(value: str) -> dict[str, Any]:
    """The Identifier of a resident ID number, 18 characters. Raises Fault when the check digit is wrong."""
    if not is_id_number(value):
        raise Fault("exchange.bad-id-number", code="102")
    return {"use": "official", **_typed("NNCHN"), "system": ID_NUMBER_SYSTEM, "value": normal_id_number(value)}


def social_number(segment: Segment, field: int, sheet: Sheet, _: dict[str, Any]) -> list[dict[str, Any]]:
    """PID-19: in China the resident ID number, elsewhere a social security number. Raises Fault."""
    value = segment.text(field)
    if looks_like_id_number(value):
        return [id_number(value)]
    return [{**_typed("SS"), "system": f"{sheet.sender.urn}:SS", "value": value}] if value else []


def system_of(authority: list[str], kind: str, sender: Sender) -> str:
    """The system of an identifier: its authority's OID or UUID, the sender's rule, else a name under the sender."""
    namespace, universal, universal_kind = authority
    if universal_kind in {"ISO", ""} and _OID.fullmatch(universal):
        return f"urn:oid:{universal}"
    if universal_kind == "URI" and ":" in universal:
        return universal
    if _UUID.fullmatch(universal):
        return f"urn:uuid:{universal.lower()}"
    named = sender.authorities.get(namespace) or (None if namespace else sender.authorities.get(kind))
    return named or f"{sender.urn}:{quote(namespace or kind or 'id', safe='')}"


def _typed(kind: str) -> dict[str, Any]:
    return {"type": {"coding": [{"system": _TYPES, "code": kind}]}} if kind else {}


def _validity(part: list[str]) -> dict[str, Any]:
    """The period of CX-7 and CX-8; an impossible one is of no weight beside the identifier itself."""
    period: dict[str, str] = {}
    for name, text in (("start", part[6]), ("end", part[7])):
        if len(text) >= 8 and text[:8].isdigit() and int(text[:8]) > _VALIDITY:
            try:
                period[name] = times.to_date(text[:8])
            except Fault:
                continue
    if period.get("end", "9") < period.get("start", "0"):
        return {}
    return {"period": period} if period else {}
