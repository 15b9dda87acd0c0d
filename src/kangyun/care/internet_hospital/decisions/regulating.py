"""The rows of the supervisor's data sets from what was gathered of the record; nothing in them by which a resident is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from kangyun.base import money
from kangyun.base.web.display import CHINA, moment
from kangyun.care.internet_hospital.decisions import papers
from kangyun.care.internet_hospital.model import COMPLAINT, Node, codes, extended, id_of
from kangyun.care.internet_hospital.model.consultations import Consultation
from kangyun.care.internet_hospital.model.doctors import Doctor
from kangyun.care.internet_hospital.model.places import Clinic, Hospital

Row = dict[str, Any]
Related = Mapping[str, list[Node]]
_REVIEWER = "1.2.840.10065.1.12.1.13"
_AUTHOR = "1.2.840.10065.1.12.1.1"


def institution(one: Hospital) -> Row:
    """A row of the set institution."""
    return {
        "id": one.institution, "name": one.name, "licence": one.licence, "licence_start": one.starts, "licence_end": one.ends, "checked": one.checked,
        "subjects": list(one.subjects), "complaints": one.complaints, "active": one.active,
    }


def department(one: Clinic) -> Row:
    """A row of the set department."""
    return {
        "id": one.id, "institution": one.institution, "name": one.name, "sort": one.category if one.is_line else one.sort, "subject": one.subject,
        "price_fen": one.price, "diagnoses": list(one.diagnoses), "kinds": list(one.kinds), "active": one.active,
    }


def staff(one: Doctor, certificate: str) -> Row:
    """A row of the set staff; certificate: fingerprint of the key that he signs with, '' before the first signature."""
    return {
        "id": one.practitioner, "institution": one.institution, "name": one.name, "title": one.title, "licence": one.licence,
        "licensed": one.licensed, "registered": one.registered, "until": one.until, "subjects": list(one.subjects), "certificate": certificate,
        "active": one.active,
    }


def patient(node: Node) -> Row:
    """A row of the set patient: the name's first sign, the month of birth, the ID number's first six and last two signs."""
    name = next((str(one.get("text") or one.get("family", "")) for one in node.get("name", ())), "")
    number = next((str(one.get("value", "")) for one in node.get("identifier", ()) if str(one.get("system", "")).endswith("10011.1.3")), "")
    address: Node = next(iter(node.get("address", ())), {})
    return {
        "id": node["id"], "name": f"{name[:1]}*" if name else "", "gender": node.get("gender", ""), "birth_month": str(node.get("birthDate", ""))[:7],
        "id_number": f"{number[:6]}{'*' * 10}{number[-2:]}" if len(number) == 18 else "", "county": address.get("district") or address.get("city", ""),
    }


def session(one: Consultation, related: Related) -> Row:
    """A row of the set session."""
    started, ended = moment(one.started), moment(one.ended)
    presence = next((each for each in one.node.get("extension", ()) if each["url"].endswith(":presence")), {})
    told = {part["url"]: next((value for key, value in part.items() if key.startswith("value")), "") for part in presence.get("extension", ())}
    return {
        "id": one.id, "institution": one.institution, "department": one.clinic, "doctor": one.practitioner, "patient": one.patient, "kind": one.kind,
        "asked": one.asked, "started": talk_start(one), "ended": one.ended, "seconds": int((ended - started).total_seconds()) if started and ended else None,
        "state": one.state, "outcome": one.outcome, "reason": one.reason, "guardian": bool(extended(one.node, "guardian")),
        "presence": told.get("means", ""), "presence_at": told.get("at", ""), "messages": len(related.get("Communication", [])),
    }


def talk_start(one: Consultation) -> str:
    """When the doctor began: the end of the time in the queue."""
    waited = next((each["period"].get("end", "") for each in one.node.get("statusHistory", ()) if each.get("status") == "arrived"), "")
    return one.started or (str(waited) if one.state in {"in-progress", "finished"} else "")


def proof(one: Consultation, node: Node) -> Row:
    """A row of the set proof."""
    states = {"preliminary": "to-judge", "final": "accepted", "amended": "refused"}
    shown = [str(each.get("reference", "")) for each in node.get("context", {}).get("related", ())]
    return {
        "session": one.id, "source": "record" if any(each.startswith("Condition/") for each in shown) else "upload",
        "state": states.get(str(node.get("docStatus")), ""), "date": node.get("date", ""), "judged_by": id_of(node.get("authenticator")),
    }


def record(one: Consultation, node: Node, signatures: Iterable[Node]) -> Row:
    """A row of the set record."""
    by, at = signer(signatures, _AUTHOR)
    ended = moment(one.ended)
    return {
        "session": one.id, "id": node["id"], "signed": at, "signed_by": by, "diagnoses": _entries(node), **papers.written(node),
        "kept_until": papers.keep_until("Composition", ended.astimezone(CHINA).date()).isoformat() if ended else "",
    }


def _entries(node: Node) -> list[str]:
    return [str(each.get("display", "")) for part in node.get("section", ()) for each in part.get("entry", ())]


def signer(signatures: Iterable[Node], purpose: str) -> tuple[str, str]:
    """Who signed for a purpose, and when; ('', '') when nobody did."""
    for node in signatures:
        for one in node.get("signature", ()):
            if any(kind.get("code") == purpose for kind in one.get("type", ())):
                return id_of(one.get("who")), str(one.get("when", ""))
    return "", ""


def reviewed(signatures: Iterable[Node]) -> bool:
    """Whether a pharmacist has signed a review."""
    return bool(signer(signatures, _REVIEWER)[0])


def prescription(one: Consultation, node: Node, signatures: Iterable[Node]) -> Row:
    """A row of the set prescription: one line of it."""
    listed = list(signatures)
    doctor, pharmacist = signer(listed, _AUTHOR), signer(listed, _REVIEWER)
    quantity, number, _, line = node.get("dispenseRequest", {}).get("quantity", {}), *str(node["id"]).rpartition("-")
    concept: Node = node.get("medicationCodeableConcept", {})
    return {
        "session": one.id, "number": node.get("groupIdentifier", {}).get("value", number), "line": line,
        "drug": next((each.get("code", "") for each in concept.get("coding", ())), ""), "name": concept.get("text", ""),
        "quantity": _number(quantity.get("value")), "unit": quantity.get("unit", ""), "days": days(node), "authored": node.get("authoredOn", ""),
        "state": node.get("status", ""), "doctor": id_of(node.get("requester")), "doctor_signed": doctor[1], "pharmacist": pharmacist[0],
        "pharmacist_signed": pharmacist[1], "review": "passed" if pharmacist[0] and node.get("status") in {"active", "completed"} else "",
    }


def days(node: Node) -> float:
    """For how many days a line of a prescription lasts."""
    return float(_number(node.get("dispenseRequest", {}).get("expectedSupplyDuration", {}).get("value")) or 0)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def dispensing(one: Consultation, node: Node) -> Row:
    """A row of the set dispensing."""
    return {
        "session": one.id, "number": next((id_of(each).rpartition("-")[0] for each in node.get("authorizingPrescription", ())), ""), "id": node["id"],
        "pharmacy": next((id_of(each.get("actor")) for each in node.get("performer", ())), ""), "state": node.get("status", ""),
        "handed_over": node.get("whenHandedOver", ""),
    }


def appointment(one: Consultation, node: Node) -> Row:
    """A row of the set appointment."""
    return {
        "id": node["id"], "session": one.id, "patient": one.patient, "status": node.get("status", ""), "start": node.get("start", ""),
        "created": node.get("created", ""),
    }


def payment(one: Consultation, node: Node) -> Row:
    """A row of the set payment."""
    return {"session": one.id, "id": node["id"], "state": node.get("status", ""), "total_fen": fen(node), "date": node.get("date", "")}


def fen(invoice: Node) -> int:
    """The total of an Invoice in fen."""
    return money.rounded(Decimal(str(invoice.get("totalGross", {}).get("value", 0))) * 100)


def rating(one: Consultation, node: Node) -> Row:
    """A row of the set evaluation, of a rating."""
    said = {item["linkId"]: next(iter(item["answer"][0].values())) for item in node.get("item", ()) if item.get("answer")}
    return {"session": one.id, "kind": "rating", "doctor": said.get("doctor"), "service": said.get("service"), "made": node.get("authored", "")}


def complaint(one: Consultation, node: Node) -> Row:
    """A row of the set evaluation, of a complaint."""
    answered = next((note["time"] for note in node.get("note", ()) if note.get("authorString") == "operations"), "")
    return {
        "session": one.id, "kind": "complaint", "topic": next(iter(codes(node.get("reasonCode"), COMPLAINT)), ""), "state": node.get("status", ""),
        "made": node.get("authoredOn", ""), "answered": answered,
    }


def adverse_event(one: Consultation, node: Node) -> Row:
    """A row of the set adverse_event."""
    event: Node = node.get("event", {})
    return {
        "session": one.id, "id": node["id"], "event": event.get("text") or next((str(each.get("display", "")) for each in event.get("coding", ())), ""),
        "date": node.get("date", ""), "seriousness": next((str(each.get("code", "")) for each in node.get("seriousness", {}).get("coding", ())), ""),
    }


# The sets that have a row for each resource of a type that belongs to a consultation.
BY_TYPE: dict[str, tuple[str, Callable[[Consultation, Node], Row]]] = {
    "proof": ("DocumentReference", proof), "dispensing": ("MedicationDispense", dispensing), "appointment": ("Appointment", appointment),
    "payment": ("Invoice", payment), "adverse_event": ("AdverseEvent", adverse_event),
}
