"""What a resident says afterwards: a rating with words, and a complaint that operations must answer in days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from kangyun.base import clock, lifecycles
from kangyun.base.errors import refuse
from kangyun.base.rules import load
from kangyun.base.web import message
from kangyun.care.internet_hospital.model import COMPLAINT, Node, codes, concept, extended, extension, id_of, reference
from kangyun.care.internet_hospital.model.consultations import Consultation, id_by
from kangyun.care.internet_hospital.queries import consultations
from kangyun.commons.access import Handle, Transaction, Write, tell

_ROOM = "kangyun.care.internet_hospital"
_LIFE = "lifecycle_complaint.yaml"
_ANSWERED = message("internet_hospital.sms.complaint")
RATING = "urn:kangyun:internet-hospital:rating"
TOPICS = ("attitude", "waiting", "treatment", "price", "prescription", "privacy", "other")
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Rating:
    """1 to 5 for the doctor, 1 to 5 for the service, and words."""

    doctor: int
    service: int
    words: str = ""


async def rate(handle: Handle, id_: str, rating: Rating) -> Node:
    """Keep a resident's rating of a consultation that is over, once. Raises Problem 409 and 422."""
    of = await consultations.consultation_of(handle, id_)
    if of.state != "finished":
        raise refuse(409, "conflict", "internet_hospital.not-over")
    if not (rating.doctor in range(1, 6) and rating.service in range(1, 6)) or len(rating.words) > _LONGEST:
        raise refuse(422, "value", "internet_hospital.wrong-rating", "rating")
    own = handle.acting("consult.ask", "consult.rate", writes="QuestionnaireResponse")
    node = _response(of, rating)
    if await own.read("QuestionnaireResponse", str(node["id"])) is not None:
        raise refuse(409, "duplicate", "internet_hospital.rated")
    await own.commit([Write("update", "QuestionnaireResponse", node, str(node["id"]), if_match=0)])
    return node


def _response(of: Consultation, rating: Rating) -> Node:
    words = [{"linkId": "words", "answer": [{"valueString": rating.words.strip()}]}] if rating.words.strip() else []
    return {
        "resourceType": "QuestionnaireResponse", "id": id_by(of.id, "rating"), "questionnaire": RATING, "status": "completed",
        "subject": reference("Patient", of.patient), "encounter": reference("Encounter", of.id), "authored": clock.instant(clock.now()),
        "author": reference("Patient", of.patient), "item": [
            {"linkId": "doctor", "answer": [{"valueInteger": rating.doctor}]}, {"linkId": "service", "answer": [{"valueInteger": rating.service}]},
            *words],
    }


async def complain(handle: Handle, id_: str, topic: str, words: str) -> Node:
    """Complain about a consultation; operations of the institution handle it. Raises Problem 422 without a topic or words."""
    of = await consultations.consultation_of(handle, id_)
    if topic not in TOPICS or not words.strip() or len(words) > _LONGEST:
        raise refuse(422, "required", "internet_hospital.empty-complaint", "words")
    own = handle.acting("consult.ask", "consult.complain", writes="Task")
    key, now = uuid4().hex, clock.now()
    due = now + timedelta(days=int(load(_ROOM, _LIFE).body["days"]))
    node: Node = {
        "resourceType": "Task", "id": key, "status": lifecycles.load(_ROOM, _LIFE).next("", "complain", "patient"), "intent": "order",
        "code": concept(COMPLAINT, "complaint"), "reasonCode": concept(COMPLAINT, topic), "description": words.strip(),
        "focus": reference("Encounter", of.id), "for": reference("Patient", of.patient), "requester": reference("Patient", of.patient),
        "owner": reference("Organization", of.institution), "authoredOn": clock.instant(now), "lastModified": clock.instant(now),
        "restriction": {"period": {"end": clock.instant(due)}},
    }
    await own.commit([Write("update", "Task", node, key, if_match=0)])
    return await own.read("Task", key) or node


async def handle_complaint(handle: Handle, id_: str, event: str, words: str = "") -> Node:
    """Accept or answer a complaint (operations), withdraw or reopen one (its resident).

    Raises Problem 404 for what the caller does not see, 403 and 409 by the life cycle, 422 for an answer without words.
    """
    party, permission = ("operations", "consult.operate") if handle.may("consult.operate") else ("patient", "consult.ask")
    kept = await _complaint(handle, id_, party)
    state = lifecycles.load(_ROOM, _LIFE).next(str(kept["status"]), event, party)
    if event in {"answer", "reopen"} and not words.strip():
        raise refuse(422, "required", "internet_hospital.empty-answer", "words")
    own = handle.acting(permission, f"consult.complaint-{event}", writes="Task")

    async def beside(session: Transaction) -> Sequence[Write]:
        node = _with_word({**kept, "status": state, "lastModified": clock.instant(clock.now())}, party, event, words)
        writes = [Write("update", "Task", node, id_, if_match=int(kept["meta"]["versionId"]))]
        if event != "answer":
            return writes
        page = f"/consult/visits/{id_of(kept.get('focus'))}"
        return [*writes, await tell(session.connection, id_of(kept["for"]), _ANSWERED, about=f"Task/{id_}", page=page)]

    await own.commit([], beside=beside)
    return await own.read("Task", id_) or kept


async def _complaint(handle: Handle, id_: str, party: str) -> Node:
    """A complaint that the caller may handle: one to the own institution, or about a consultation of one's own."""
    reader = handle if party == "operations" else handle.acting("consult.ask", "consult.complaint", writes="Task")
    kept = await reader.read("Task", id_)
    if kept is None or "complaint" not in codes(kept.get("code"), COMPLAINT):
        raise refuse(404, "not-found", "internet_hospital.no-complaint-task")
    if party == "patient":
        await consultations.consultation_of(handle, id_of(kept.get("focus")))
    return kept


async def own_complaints(handle: Handle, of: Consultation) -> list[Node]:
    """The complaints about a consultation that the caller sees."""
    return await consultations.complaints(handle.acting("consult.ask", "consult.complaints", writes="Task"), focus=of.id)


def _with_word(task: Node, party: str, event: str, words: str) -> Node:
    if not words.strip():
        return task
    note = {"time": clock.instant(clock.now()), "authorString": party, "text": words.strip()[:_LONGEST], "extension": [extension("event", valueCode=event)]}
    return {**task, "note": [*task.get("note", ()), note]}


def event_of(note: Node) -> str:
    """Which event a word on a complaint belongs to."""
    return str(extended(note, "event") or "")
