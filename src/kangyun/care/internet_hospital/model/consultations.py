"""A consultation and what belongs to it, as FHIR: the Encounter, its messages, consent, proof and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

from kangyun.base import money
from kangyun.base.money import Fen
from kangyun.care.internet_hospital.model import (
    KIND,
    PAPER,
    Node,
    concept,
    extended,
    extension,
    id_of,
    reference,
    tagged,
)
from kangyun.care.internet_hospital.model.places import Clinic

_VIRTUAL = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "VR"}


@dataclass(frozen=True, slots=True)
class Consultation:
    """An Encounter of this room. state: its status. price in fen. Moments are FHIR texts.

    asked: when it was asked for; started, ended: of the talk itself, '' before. outcome: done, offline, expired or ''.
    """

    id: str
    version: int
    state: str
    kind: str
    patient: str
    institution: str
    clinic: str
    practitioner: str
    doctor: str
    complaint: str
    price: Fen
    asked: str
    started: str
    ended: str
    outcome: str
    reason: str
    node: Node

    @property
    def live(self) -> bool:
        """Whether doctor and patient see each other: only one of these at a time."""
        return self.kind == "video"


def consultation(node: Node) -> Consultation:
    """A consultation as its Encounter tells it."""
    doctor = next((one["individual"] for one in node.get("participant", ()) if id_of(one.get("individual"), "Practitioner")), {})
    talk = next((one["period"] for one in node.get("statusHistory", ()) if one.get("status") == "in-progress"), {})
    price = extended(node, "price") or {}
    return Consultation(
        str(node["id"]), int(node["meta"]["versionId"]), str(node["status"]), tagged(node, KIND), id_of(node.get("subject"), "Patient"),
        id_of(node.get("serviceProvider"), "Organization"), id_of(extended(node, "clinic")), id_of(doctor), str(doctor.get("display", "")),
        next((str(one.get("text", "")) for one in node.get("reasonCode", ())), ""), money.rounded(Decimal(str(price.get("value", 0))) * 100),
        str(node.get("period", {}).get("start", "")), str(talk.get("start", "") or extended(node, "started") or ""),
        str(node.get("period", {}).get("end", "")), str(extended(node, "outcome") or ""), str(extended(node, "outcome-reason") or ""), node)


def id_by(*words: str) -> str:
    """An id that the same words always lead to, so that what is sent twice is one."""
    return str(uuid5(NAMESPACE_URL, "|".join(words)))


def encounter(id_: str, patient: str, clinic: Clinic, kind: str, *, complaint: str, now: str, doctor: Node | None = None) -> Node:
    """The Encounter of a new consultation."""
    made: Node = {
        "resourceType": "Encounter", "id": id_, "meta": {"tag": [{"system": KIND, "code": kind}]},
        "extension": [
            extension("clinic", valueReference=reference("HealthcareService", clinic.id, clinic.name)),
            extension("price", valueMoney=money.to_fhir(clinic.price)),
        ],
        "status": "planned", "class": _VIRTUAL, "type": [concept(KIND, kind)], "subject": reference("Patient", patient),
        "period": {"start": now}, "reasonCode": [{"text": complaint}], "serviceProvider": reference("Organization", clinic.institution),
    }
    return made | ({"participant": [{"individual": doctor}]} if doctor else {})


def moved(node: Node, state: str, now: str) -> Node:
    """The Encounter in another state, with the time it was in the former one."""
    history = list(node.get("statusHistory", ()))
    since = history[-1]["period"]["end"] if history else node["period"]["start"]
    history.append({"status": node["status"], "period": {"start": since, "end": now}})
    period = {**node["period"], **({"end": now} if state in {"finished", "cancelled"} else {})}
    return {**node, "status": state, "statusHistory": history, "period": period}


def message(of: Consultation, id_: str, sender: Node, now: str, *, text: str = "", pictures: tuple[str, ...] = ()) -> Node:
    """A Communication of a consultation; pictures: ids of Media."""
    payload: list[Node] = [{"contentString": text}] if text else []
    payload += [{"contentReference": reference("Media", one)} for one in pictures]
    return {
        "resourceType": "Communication", "id": id_, "status": "completed", "subject": reference("Patient", of.patient),
        "encounter": reference("Encounter", of.id), "sent": now, "sender": sender, "payload": payload,
        "category": [concept(KIND, "message")],
    }


def media(id_: str, patient: str, encounter_id: str, content: tuple[str, str], now: str) -> Node:
    """The Media of a picture; content: its media type and base64."""
    return {
        "resourceType": "Media", "id": id_, "status": "completed", "subject": reference("Patient", patient),
        "encounter": reference("Encounter", encounter_id), "createdDateTime": now,
        "content": {"contentType": content[0], "data": content[1]},
    }


def consent(id_: str, patient: str, institution: str, version: str, now: str) -> Node:
    """The informed consent before a consultation; version: of the text that was read."""
    return {
        "resourceType": "Consent", "id": id_, "status": "active",
        "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope", "treatment"),
        "category": [concept("http://loinc.org", "59284-0")], "patient": reference("Patient", patient), "dateTime": now,
        "performer": [reference("Patient", patient)], "organization": [reference("Organization", institution)],
        "policy": [{"uri": f"urn:kangyun:internet-hospital:consent:{version}"}],
    }


def proof(id_: str, patient: str, encounter_id: str, papers: list[Node], now: str, *, final: bool) -> Node:
    """The re-visit proof: papers are References to the diagnosis in the record, or to pictures of a paper that a doctor must judge."""
    return {
        "resourceType": "DocumentReference", "id": id_, "status": "current", "docStatus": "final" if final else "preliminary",
        "type": {**concept(PAPER, "proof"), "text": "复诊凭证"}, "subject": reference("Patient", patient), "date": now,
        "content": [{"attachment": {"url": one["reference"], **({"title": one["display"]} if "display" in one else {})}} for one in papers],
        "context": {"encounter": [reference("Encounter", encounter_id)], "related": papers},
    }
