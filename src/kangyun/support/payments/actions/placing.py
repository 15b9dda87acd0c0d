"""A clerk's own order: what is paid at the window of an institution, for a resident whom the institution sees."""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.commons.population import person_of
from kangyun.support.payments.actions.orders import order
from kangyun.support.payments.actions.standing import MANAGE, RECONCILE
from kangyun.support.payments.model import Line, Order, Wanted
from kangyun.support.payments.queries.orders import sql

_SOURCE = "payments.window"


async def place(handle: Handle, patient: str, institution: str, lines: Sequence[Line], key: str) -> Order:
    """Make an order for a Patient whom the caller sees, owed to the caller's own institution.

    Raises Problem 403 for another institution, 404 for a Patient that is not seen, 422 for what cannot be right.
    """
    if institution != handle.actor.institution and not handle.may(RECONCILE):
        raise refuse(403, "forbidden", "base.forbidden")
    if await handle.read("Patient", patient) is None:
        raise refuse(404, "not-found", "payments.unknown", "subject")
    work = handle.acting(MANAGE, "payments.order", writes="Invoice")
    own_key = key and f"window/{institution}/{key}"
    person = await _payer(work, patient, own_key)
    if person is None:
        raise refuse(422, "value", "payments.wrong-party", "subject")
    return await order(work, Wanted(person, patient, institution, _SOURCE, lines, own_key))


async def _payer(work: Handle, patient: str, key: str) -> str | None:
    """The person of the Patient; for a repetition the one of the first try, also when the Patient was placed anew since."""
    async with work.connection() as connection:
        earlier = await connection.fetchval(sql.person_by_key, key)
    if earlier is not None:
        return str(earlier)
    person = await person_of(work, patient)
    return str(person["id"]) if person else None
