"""Who somebody is to an order: the payer, a clerk of the institution that is owed, or the platform; nobody else sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kangyun.base.database import Database
from kangyun.base.errors import Problem, refuse
from kangyun.base.settings import Settings
from kangyun.commons.access import Gate, Handle
from kangyun.support.payments.model import Order
from kangyun.support.payments.queries.orders import order_of

PAY, MANAGE, RECONCILE = "payments.pay", "payments.manage", "payments.reconcile"


class Parts(Protocol):
    """The opened parts of one process."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def database(self) -> Database:
        """The database."""
        ...

    @property
    def gate(self) -> Gate:
        """The gate."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """An order that the caller has to do with: as `who` (payer, clerk, platform), and the handle that does the work."""

    order: Order
    who: str
    handle: Handle


async def case(handle: Handle, order_id: str, *as_: str) -> Case:
    """The order, if the caller is one of those. Raises Problem 404: what is another's looks like what is not there."""
    async with handle.connection() as connection:
        order = await order_of(connection, order_id)
    found = _standing(handle, order) if order else {}
    who = next((one for one in as_ if one in found), "")
    if order is None or not who:
        raise unknown()
    work = handle if who == "platform" else handle.acting(found[who], "payments.order", writes="Invoice")
    # The trail tells whose order was looked at, and by whom.
    await work.read("Invoice", order_id)
    return Case(order, who, work)


def _standing(handle: Handle, order: Order) -> dict[str, str]:
    """What the caller is to the order, and the permission that it is by."""
    actor = handle.actor
    if actor.role == "system":
        return {"platform": ""}
    found: dict[str, str] = {}
    if handle.may(PAY) and (actor.person == order.person or actor.role == "operator"):
        found["payer"] = PAY
    if handle.may(MANAGE) and (actor.institution == order.institution or handle.may(RECONCILE)):
        found["clerk"] = MANAGE
    return found


def unknown() -> Problem:
    """The refusal that says nothing about what is there."""
    return refuse(404, "not-found", "payments.unknown")
