"""The resident of a row: the Patient that the sender keeps, and what in it contradicts itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from kangyun.commons.exchange.decisions.people import id_number, part_chinese_name
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.model import Fault

HEALTH_RECORD_NUMBER = "urn:oid:2.16.156.10011.1.2"
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_EXTENSION = "urn:kangyun:extension:"
_MOBILE_DIGITS = 11
_KINDS = {
    "ethnicity": "valueCodeableConcept", "education": "valueCodeableConcept", "occupation": "valueCodeableConcept",
    "residence": "valueCodeableConcept", "household_relation": "valueCodeableConcept", "workplace": "valueString",
    "household_head": "valueString",
}
_EXTENSIONS = [(name, f"{_EXTENSION}{name.replace('_', '-')}", kind) for name, kind in _KINDS.items()]


def patient_of(values: Mapping[str, Any], sender: Sender) -> dict[str, Any]:
    """The Patient as the row tells it. Raises Fault when nothing tells who it is."""
    patient: dict[str, Any] = {"resourceType": "Patient", "active": True, "identifier": identifiers(values, sender)}
    plain = {
        "name": [_named(values["name"])] if "name" in values else None,
        "gender": values.get("sex") or _sex_by_number(values),
        "birthDate": values.get("birth") or _birth_by_number(values),
        "telecom": _telecoms(values),
        "address": addresses(values),
        "maritalStatus": values.get("marriage"),
        "contact": _contacts(values),
        "extension": _extensions(values),
    }
    return {**patient, **{key: value for key, value in plain.items() if value}}


def identifiers(values: Mapping[str, Any], sender: Sender) -> list[dict[str, Any]]:
    """What tells who the row is about; where it has no number, a name made of name, birth and sex. Raises Fault."""
    found: list[dict[str, Any]] = []
    if "record_number" in values:
        number = str(values["record_number"])
        national = len(number) == 17 and number.isdecimal()
        found.append(_identifier("MR", HEALTH_RECORD_NUMBER if national else f"{sender.urn}:MR", number))
    if "id_number" in values:
        found.append(id_number(values["id_number"]))
    if "card_number" in values:
        found.append(_identifier("HC", f"{sender.urn}:HC", values["card_number"]))
    if not found:
        found.append(_identifier("PI", f"{sender.urn}:resident", _by_description(values)))
    return found


def _identifier(kind: str, system: str, value: str) -> dict[str, Any]:
    return {"type": {"coding": [{"system": _TYPES, "code": kind}]}, "system": system, "value": value}


def _by_description(values: Mapping[str, Any]) -> str:
    """A number for somebody who has none at this clinic; it shows nothing of what it was made of. Raises Fault."""
    name, birth = values.get("name"), values.get("birth")
    if not name or not birth or len(birth) < 10:
        raise Fault("exchange.no-identifier", code="101")
    told = "|".join(str(one or "") for one in (name, birth, values.get("sex")))
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _named(text: str) -> dict[str, Any]:
    if text.isascii():
        *given, family = text.split(" ") if " " in text else ["", text]
        return {"text": text, "family": family, **({"given": [one for one in given if one]} if any(given) else {})}
    family, given = part_chinese_name(text)
    extension = [{"url": _REPRESENTATION, "valueCode": "IDE"}]
    return {"use": "official", "text": text, "family": family, **({"given": given} if given else {}), "extension": extension}


def _sex_by_number(values: Mapping[str, Any]) -> str | None:
    number = values.get("id_number")
    return ("male" if int(number[16]) % 2 else "female") if number else None


def _birth_by_number(values: Mapping[str, Any]) -> str | None:
    number = values.get("id_number")
    return f"{number[6:10]}-{number[10:12]}-{number[12:14]}" if number else None


def _telecoms(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_telecom(number) for number in values.get("phone", ())]


def _telecom(number: str) -> dict[str, Any]:
    digits = "".join(sign for sign in number if sign.isdigit())
    mobile = len(digits.removeprefix("86")) == _MOBILE_DIGITS and digits.removeprefix("86").startswith("1")
    return {"system": "phone", "value": number, "use": "mobile" if mobile else "home"}


def addresses(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where a row says that its resident lives, and where he is registered if that is elsewhere."""
    parts = {name: values[name] for name in ("province", "city", "county", "town", "village") if name in values}
    text = values.get("address") or "".join(str(one) for one in parts.values())
    if not text:
        return []
    if "address" in values and "village" in parts and not str(text).startswith(str(parts["village"])) and parts["village"] not in text:
        text = f"{parts['village']}{text}"
    found: dict[str, Any] = {"use": "home", "text": text}
    for part, element in (("province", "state"), ("city", "city"), ("county", "district")):
        if part in parts:
            found[element] = parts[part]
    registered = values.get("registered_address")
    more = [{"use": "old", "type": "postal", "text": registered}] if registered and registered != text else []
    return [found, *more]


def _contacts(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if "contact" in values or "contact_phone" in values:
        contact: dict[str, Any] = {"relationship": [values["contact_relation"]]} if "contact_relation" in values else {}
        if "contact" in values:
            contact["name"] = {"text": values["contact"]}
        if "contact_phone" in values:
            contact["telecom"] = [_telecom(number) for number in values["contact_phone"]]
        found.append(contact)
    return found


def _extensions(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"url": url, kind: values[name]} for name, url, kind in _EXTENSIONS if name in values]


def contradiction(values: Mapping[str, Any], today: str) -> tuple[str, str] | None:
    """The column and the key of the fault when a row cannot be about one person; None when nothing speaks against it."""
    birth = values.get("birth")
    if birth and birth > today[: len(birth)]:
        return "birth", "exchange.born-later"
    number = values.get("id_number")
    if not number:
        return None
    sex = values.get("sex")
    if sex in {"male", "female"} and sex != _sex_by_number(values):
        return "id_number", "exchange.id-number-other-sex"
    # A year's difference is the lunar calendar, or a birth registered late; more is somebody else's number.
    if birth and abs(int(birth[:4]) - int(number[6:10])) > 1:
        return "id_number", "exchange.id-number-other-birth"
    return None
