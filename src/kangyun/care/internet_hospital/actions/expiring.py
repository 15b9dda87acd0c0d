"""What nobody comes back to ends by itself: unpaid, unanswered and silent consultations; a fee that was paid goes back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from kangyun.base import clock, jobs, lifecycles
from kangyun.base.errors import Problem
from kangyun.base.web import message
from kangyun.base.web.display import moment
from kangyun.care.internet_hospital.actions import seats
from kangyun.care.internet_hospital.actions.attending import about, ended
from kangyun.care.internet_hospital.decisions.papers import expired
from kangyun.care.internet_hospital.model import KIND
from kangyun.care.internet_hospital.model.consultations import Consultation, consultation
from kangyun.care.internet_hospital.queries import consultations
from kangyun.commons.access import Handle, Transaction, Write, tell

_ROOM = "kangyun.care.internet_hospital"
_EXPIRED = message("internet_hospital.sms.expired")
_STATES = ("planned", "arrived", "in-progress")
_AT_ONCE = "200"


@jobs.every("internet_hospital.expire", seconds=300)
async def sweep(services: Any, _payload: dict[str, Any]) -> None:
    """End consultations in which nothing has happened for as long as rules/times.yaml says."""
    handle: Handle = services.gate.system("internet_hospital.expire")
    for state in _STATES:
        query = [("status", state), ("_tag", f"{KIND}|"), ("_sort", "date"), ("_count", _AT_ONCE)]
        for node in (await handle.search("Encounter", query)).resources:
            # Whoever was quicker has changed it; the next sweep sees what is left to do.
            with suppress(Problem):
                await _end_if_old(handle, consultation(node))


async def _end_if_old(handle: Handle, of: Consultation) -> None:
    if not expired(of.state, await _since(handle, of), clock.now()):
        return

    async def beside(session: Transaction) -> Sequence[Write]:
        current = await consultations.again(session, of)
        state = lifecycles.load(_ROOM).next(current.state, "expire", "platform")
        await seats.leave(session.connection, current)
        notice = await tell(session.connection, of.patient, _EXPIRED, about=about(of.id), page=f"/consult/visits/{of.id}")
        return [ended(current, state, "expired"), notice]

    await handle.commit([], beside=beside)


async def _since(handle: Handle, of: Consultation) -> datetime:
    """When it came into its state, or, while it is under way, when somebody last said something."""
    history = of.node.get("statusHistory", ())
    known = [moment(str(history[-1]["period"]["end"]) if history else of.asked)]
    if of.state == "in-progress":
        query = [("encounter", f"Encounter/{of.id}"), ("category", f"{KIND}|message"), ("_sort", "-sent"), ("_count", "1")]
        known += [moment(str(one["sent"])) for one in (await handle.search("Communication", query)).resources]
    return max([one for one in known if one is not None], default=clock.now())
