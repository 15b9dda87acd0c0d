"""After the talk: orders for examinations, and coming again; the resident books both with one tap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import uuid4

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.web import message
from kangyun.care.internet_hospital.actions.asking import today
from kangyun.care.internet_hospital.actions.attending import at_work
from kangyun.care.internet_hospital.decisions import ordering
from kangyun.care.internet_hospital.model import Node, reference
from kangyun.care.internet_hospital.model.consultations import Consultation
from kangyun.care.internet_hospital.queries import consultations
from kangyun.commons.access import Handle, Transaction, Write, tell

_ANSWER = "consult.answer"
_ORDERED = message("internet_hospital.sms.ordered")
_LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Order:
    """An examination (code of rules/examinations.yaml), or `follow-up`; on: the day, which a follow-up needs; words: why."""

    code: str
    words: str = ""
    on: str = ""


async def order(handle: Handle, id_: str, wish: Order) -> Node:
    """Order an examination, or ask the resident to come again on a day; the resident is told and books a number.

    Raises Problem 403 and 409 as `at_work`, 422 for an unknown examination or a day that cannot be.
    """
    of = await consultations.consultation_of(handle, id_)
    name = ordering.names().get(wish.code)
    if name is None:
        raise refuse(422, "code-invalid", "internet_hospital.no-examination", "code")
    if wish.on or wish.code == ordering.FOLLOW_UP:
        _check_day(wish.on)
    own = handle.acting(_ANSWER, "consult.order", writes="ServiceRequest")
    key = uuid4().hex
    await own.commit([], beside=lambda session: _write(session, own, of, (wish, key)))
    return await own.read("ServiceRequest", key) or {}


def _check_day(text: str) -> None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise refuse(422, "value", "internet_hospital.no-day", "on") from None
    if not today() < day <= today() + _LONGEST:
        raise refuse(422, "value", "internet_hospital.no-day", "on")


async def _write(session: Transaction, handle: Handle, of: Consultation, what: tuple[Order, str]) -> Sequence[Write]:
    wish, id_ = what
    of = await at_work(session, handle, of)
    node = _request(of, wish, handle.actor.practitioner or "", id_)
    notice = await tell(session.connection, of.patient, _ORDERED, about=f"ServiceRequest/{id_}", page=f"/consult/visits/{of.id}")
    return [Write("update", "ServiceRequest", node, id_, if_match=0), notice]


def _request(of: Consultation, wish: Order, practitioner: str, id_: str) -> Node:
    names = ordering.names()[wish.code]
    made: Node = {
        "resourceType": "ServiceRequest", "id": id_, "status": "active", "intent": "order",
        "category": [{"text": "follow-up" if wish.code == ordering.FOLLOW_UP else "examination"}],
        "code": {"coding": [{"system": ordering.SYSTEM, "code": wish.code, "display": names["zh"]}], "text": names["zh"]},
        "subject": reference("Patient", of.patient), "encounter": reference("Encounter", of.id),
        "requester": reference("Practitioner", practitioner, of.doctor), "performer": [reference("Organization", of.institution)],
        "authoredOn": clock.instant(clock.now()),
    }
    if wish.on:
        made["occurrenceDateTime"] = wish.on
    return made | ({"reasonCode": [{"text": wish.words.strip()[:500]}]} if wish.words.strip() else {})


async def withdraw(handle: Handle, id_: str, order_id: str) -> None:
    """Take back an order of this consultation. Raises Problem 404 when it is none, and as `at_work`."""
    of = await consultations.consultation_of(handle, id_)
    own = handle.acting(_ANSWER, "consult.order", writes="ServiceRequest")

    async def beside(session: Transaction) -> Sequence[Write]:
        await at_work(session, own, of)
        kept = await session.read("ServiceRequest", order_id)
        if kept is None or kept.get("encounter", {}).get("reference") != f"Encounter/{of.id}":
            raise refuse(404, "not-found", "internet_hospital.no-order")
        return [Write("update", "ServiceRequest", {**kept, "status": "revoked"}, order_id, if_match=int(kept["meta"]["versionId"]))]

    await own.commit([], beside=beside)
