"""CDA documents inside of HL7 v2 messages (MDM, ORU): found in OBX-5 of type ED, and whether they are about the same patient.

HL7 v2.5.1 chapter 2.A.24 ED; CDA R2 implementation in v2 messages: CDA R2 normative edition, chapter 3 (MIME package).
"""

from __future__ import annotations

import base64
import email
from email.message import Message as Mail
from typing import Any

from kangyun.commons.exchange.decisions import results
from kangyun.commons.exchange.decisions.message import Message
from kangyun.commons.population import ID_NUMBER_SYSTEM

_BEGINNING = 4096


def documents_inside(message: Message) -> list[tuple[int, bytes]]:
    """(which OBX, counted from 1; the document) of each CDA document in a message. Raises Fault for ED that is no ED."""
    found = (
        (place, _document(results.attachment(segment).get("data", "")))
        for place, segment in enumerate(message.all("OBX"), 1) if segment.text(2).upper() == "ED" and segment.raw(5)
    )
    return [(place, document) for place, document in found if document]


def _document(data: str) -> bytes:
    content = base64.b64decode(data)
    if content[:_BEGINNING].lstrip().startswith((b"MIME-Version", b"Content-Type")):
        content = _packed(email.message_from_bytes(content))
    return content if b"ClinicalDocument" in content[:_BEGINNING] else b""


def _packed(mail: Mail) -> bytes:
    """The document in a MIME package, with what it shows beside it left out."""
    parts = (part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart())
    return next((part for part in parts if isinstance(part, bytes) and b"ClinicalDocument" in part[:_BEGINNING]), b"")


def another_patient(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two Patients of one message are two people: other ID numbers, or neither name nor birth date in common."""
    numbers = [_numbers(patient) for patient in (one, other)]
    if all(numbers):
        return numbers[0].isdisjoint(numbers[1])
    shared = {(i["system"], i["value"]) for i in one.get("identifier", [])} & {(i["system"], i["value"]) for i in other.get("identifier", [])}
    names = [{name.get("text") for name in patient.get("name", [])} for patient in (one, other)]
    births = {patient.get("birthDate") for patient in (one, other)} - {None}
    return not shared and (bool(all(names) and names[0].isdisjoint(names[1])) or len(births) > 1)


def _numbers(patient: dict[str, Any]) -> set[str]:
    return {str(one["value"]) for one in patient.get("identifier", []) if one.get("system") == ID_NUMBER_SYSTEM}


def united(outer: dict[str, Any], inner: dict[str, Any]) -> dict[str, Any]:
    """The Patient of the document, known by the numbers of the message as well."""
    own = inner.get("identifier", [])
    return {**inner, "identifier": [*own, *(one for one in outer["identifier"] if one not in own)]}
