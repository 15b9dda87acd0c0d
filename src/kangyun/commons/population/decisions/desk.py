"""What a clerk wrote on the registration form: checked field by field, and the Patient it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from kangyun.commons.population.decisions.residents import is_id_number, normal_id_number
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

FIELDS = ("name", "number", "sex", "born", "phone", "address")
_SEXES = {"male", "female", "other", "unknown"}
_LONGEST = 200
_LONGEST_NAME = 60
# What is dialled in China or abroad, with the signs that people write between the digits.
_PHONE = re.compile(r"\+?[\d -]{5,24}", re.ASCII)
_ODD = {"1", "3", "5", "7", "9"}


@dataclass(frozen=True, slots=True)
class Form:
    """What was written, by field, and in one word what is wrong with a field."""

    values: Mapping[str, str]
    faults: Mapping[str, str]


def read(given: Mapping[str, str], today: date) -> Form:
    """Check the form. Birth date and sex are taken from the ID number where the clerk left them out."""
    values = {name: given.get(name, "").strip()[:_LONGEST] for name in FIELDS}
    faults: dict[str, str] = {}
    if not values["name"]:
        faults["name"] = "required"
    elif len(given["name"].strip()) > _LONGEST_NAME or not any(map(str.isalpha, values["name"])) or "<" in values["name"]:
        faults["name"] = "name"
    if values["phone"] and _PHONE.fullmatch(values["phone"]) is None:
        faults["phone"] = "phone"
    if len(given.get("address", "").strip()) > _LONGEST:
        faults["address"] = "address"
    if values["number"]:
        values["number"] = values["number"].upper().replace(" ", "")
        _compare(values, faults)
    if values["sex"] not in _SEXES:
        values["sex"] = "unknown"
    if values["born"] and "born" not in faults and not _is_past(values["born"], today):
        faults["born"] = "born"
    if not values["born"] and not values["number"]:
        faults["born"] = "needed"
    return Form(values, faults)


def _compare(values: dict[str, str], faults: dict[str, str]) -> None:
    if not is_id_number(values["number"]):
        faults["number"] = "number"
        return
    number = values["number"] = normal_id_number(values["number"])
    born = f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
    sex = "male" if number[16] in _ODD else "female"
    if values["born"] not in {"", born}:
        faults["born"] = "differs"
    if values["sex"] not in {"", "unknown", sex}:
        faults["sex"] = "differs"
    values["born"] = values["born"] or born
    values["sex"] = sex if values["sex"] in {"", "unknown"} else values["sex"]


def _is_past(text: str, today: date) -> bool:
    try:
        return date(1870, 1, 1) <= date.fromisoformat(text) <= today
    except ValueError:
        return False


def patient(values: Mapping[str, str]) -> dict[str, Any]:
    """The Patient of a form without faults."""
    whole: dict[str, Any] = {"resourceType": "Patient", "name": [{"use": "official", "text": values["name"]}], "gender": values["sex"]}
    if values["born"]:
        whole["birthDate"] = values["born"]
    if values["number"]:
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NI"}]}
        whole["identifier"] = [{"use": "official", "type": kind, "system": ID_NUMBER_SYSTEM, "value": values["number"]}]
    if values["phone"]:
        whole["telecom"] = [{"system": "phone", "use": "mobile", "value": values["phone"]}]
    if values["address"]:
        whole["address"] = [{"use": "home", "text": values["address"]}]
    return whole
