"""Invented residents for this room's tests."""

from __future__ import annotations

from typing import Any

from kangyun.commons.access import Handle
from kangyun.commons.population import persons_of
from kangyun.commons.population.decisions.residents import id_check_digit
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

ADDRESS = "云州市东城区人民路街道幸福社区3组12号"


def id_number(birth: str, order: int) -> str:
    """A resident ID number of Yunzhou for a birth date such as 1956-03-04; odd orders are men."""
    number = f"990121{birth.replace('-', '')}{order:03d}"
    return number + id_check_digit(number)


def resident(mr: str = "", id_: str = "", **more: Any) -> dict[str, Any]:
    """A Patient as a sender tells of it: record number, ID number, and what else is given."""
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    numbers = [{"system": "urn:hospital", "value": mr, "type": kind}] if mr else []
    numbers += [{"system": ID_NUMBER_SYSTEM, "value": id_}] if id_ else []
    phone, name, address = (more.pop(key, None) for key in ("phone", "name", "address"))
    told: dict[str, Any] = {"identifier": numbers, "name": [{"text": name or "周秀兰"}]}
    if phone:
        told["telecom"] = [{"system": "phone", "use": "mobile", "value": phone}]
    if address:
        told["address"] = [{"text": address}]
    return {**told, "birthDate": "1956-03-04", "gender": "female", **more}


def with_certificate(patient: dict[str, Any], number: str = "B990000001") -> dict[str, Any]:
    """The Patient with the number of a birth certificate."""
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "BC"}]}
    certificate = {"system": "urn:oid:2.16.156.10011.1.99", "value": number, "type": kind}
    return {**patient, "identifier": [*patient["identifier"], certificate]}


async def persons(handle: Handle, *patients: str) -> list[str]:
    """The Person of each Patient."""
    found = await persons_of(handle, patients)
    return [str(found[one]["id"]) for one in patients]


async def one_person(handle: Handle, *patients: str) -> bool:
    """Whether all Patients stand under one Person."""
    return len(set(await persons(handle, *patients))) == 1
