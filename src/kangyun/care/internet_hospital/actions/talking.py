"""Messages of a consultation: text and pictures, each kept once however often a bad network sends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.web import message
from kangyun.care.internet_hospital.actions import attending, pictures, seats
from kangyun.care.internet_hospital.decisions.papers import limit
from kangyun.care.internet_hospital.model import Node
from kangyun.care.internet_hospital.model.consultations import Consultation, id_by
from kangyun.care.internet_hospital.model.consultations import message as communication
from kangyun.care.internet_hospital.queries import consultations
from kangyun.commons.access import Handle, Transaction, Write, tell

_OPEN = {"arrived", "in-progress"}
_ANSWERED = message("internet_hospital.sms.answered")


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says. client: the sender's own id of the message, the same however often it is sent."""

    client: str
    text: str = ""
    pictures: tuple[bytes, ...] = ()


async def say(handle: Handle, id_: str, said: Said) -> Node:
    """Keep a message of the resident or the doctor; one that was kept before is given back, and nothing is kept twice.

    Raises Problem 403 for a doctor whose consultation it is not, 409 when it is over, not begun, or open on another device,
    422 for what is empty, too long or no picture.
    """
    of = await consultations.consultation_of(handle, id_)
    party = "doctor" if handle.actor.practitioner else "patient"
    _check(said)
    key = id_by(id_, party, said.client)
    kept = await handle.read("Communication", key)
    if kept is not None:
        return kept
    shots = await pictures.taken(said.pictures)
    own = handle.acting("consult.answer" if party == "doctor" else "consult.ask", "consult.say", writes="Communication")
    written = await own.commit([], key=f"consult.say/{key}", beside=lambda session: _keep(session, own, of, said, shots))
    return await consultations.kept(own, written, "Communication", key) or {}


def _check(said: Said) -> None:
    if not said.client or len(said.client) > 100:
        raise refuse(422, "required", "internet_hospital.no-client-id", "client")
    if not said.text.strip() and not said.pictures:
        raise refuse(422, "required", "internet_hospital.empty-message", "text")
    if len(said.text) > limit("characters"):
        raise refuse(422, "too-long", "internet_hospital.too-long", "text", most=str(limit("characters")))


async def _keep(session: Transaction, handle: Handle, of: Consultation, said: Said, shots: list[str]) -> Sequence[Write]:
    party = "doctor" if handle.actor.practitioner else "patient"
    if party == "doctor":
        of = await attending.at_work(session, handle, of)
    else:
        of = await consultations.again(session, of)
        if of.state not in _OPEN:
            raise refuse(409, "conflict", "internet_hospital.over")
        await seats.take(session.connection, of, "patient", handle.actor)
    now, key = clock.instant(clock.now()), id_by(of.id, party, said.client)
    made = pictures.writes(shots, of.patient, of.id, key, now)
    sender = consultations.sender_of(handle, of)
    node = communication(of, key, sender, now, text=said.text.strip(), pictures=tuple(str(one.id) for one in made))
    return [*made, Write("update", "Communication", node, key), *await _told(session, of, party)]


async def _told(session: Transaction, of: Consultation, party: str) -> list[Write]:
    """A resident who is not there learns by text message that the doctor has answered, once until looking in again."""
    if party != "doctor" or of.live:
        return []
    waiting = [("subject", f"Patient/{of.patient}"), ("category", f"urn:kangyun:notice|{_ANSWERED}"), ("_sort", "-sent"), ("_count", "1")]
    last = next(iter((await session.search("Communication", waiting)).resources), None)
    seen = await session.connection.fetchval(seats.sql.last_seen, of.id, "patient")
    if last is not None and (seen is None or str(last["sent"]) >= clock.instant(seen)):
        return []
    if seen is not None and (clock.now() - seen).total_seconds() < limit("seat_minutes") * 60:
        return []
    return [await tell(session.connection, of.patient, _ANSWERED, about=attending.about(of.id), page=f"/consult/visits/{of.id}")]


async def look_in(handle: Handle, of: Consultation, *, over: bool = False) -> None:
    """The resident looks at the consultation from this device; `over`: instead of from another one. Raises Problem 409."""
    async with handle.connection() as connection:
        if over:
            await seats.take(connection, of, "patient", handle.actor, over=True)
        else:
            await seats.keep(connection, of, "patient", handle.actor)


async def withdraw(handle: Handle, id_: str) -> Consultation:
    """The resident does not want the consultation any more; a fee that was paid goes back. Raises Problem 409 once it has begun."""
    of = await consultations.consultation_of(handle, id_)
    own = handle.acting("consult.ask", "consult.withdraw", writes="Encounter")

    async def beside(session: Transaction) -> Sequence[Write]:
        now_of = await consultations.again(session, of)
        state = attending.lifecycles.load("kangyun.care.internet_hospital").next(now_of.state, "cancel", "patient")
        await seats.leave(session.connection, now_of)
        return [attending.ended(now_of, state, "withdrawn")]

    return await consultations.after(own, await own.commit([], beside=beside), id_)
