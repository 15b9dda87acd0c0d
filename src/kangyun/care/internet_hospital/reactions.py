"""The journey: what follows when its parts change, from the fee of a consultation to the medicine at the door.

    Encounter     ended                    the fee is earned, or goes back
    Invoice       balanced                 the order is paid: the insurer is told, then the pharmacy
                  cancelled                nobody has paid: the figure is void
    ClaimResponse the insurer's word       the pharmacy may dispense, or all goes back
    Communication the notice of delivery   closed
    MedicationRequest, SupplyDelivery
                  over, or not handed over the insurer takes its part back, the cash goes back
    Invoice, Appointment
                  a held number is paid    it is booked; of one that is given back the fee goes back

A reaction only notes what is to be done; a durable job does it (`actions/settling.py`).
"""

from __future__ import annotations

from kangyun.base import jobs
from kangyun.base.reactions import Change, Reaction
from kangyun.care.internet_hospital.actions import checkout, numbers, settling
from kangyun.care.internet_hospital.model import KIND, tagged
from kangyun.care.internet_hospital.queries import checkout as reading
from kangyun.commons.access import Handle
from kangyun.support import payments

_DELIVERED = "drugs.notice.delivered"
_OVER = {"MedicationRequest": {"cancelled", "stopped", "entered-in-error"}, "SupplyDelivery": {"abandoned"}}


async def on_invoice(handle: Handle, change: Change) -> None:
    """An order was paid, or nobody will pay it any more."""
    invoice = await handle.read("Invoice", change.id)
    if invoice is None or invoice.get("status") not in {"balanced", "cancelled"}:
        return
    async with handle.connection() as connection:
        one = await reading.of_order(connection, change.id)
    if one is None:
        return
    if invoice["status"] == "balanced":
        await checkout.paid(handle, one)
    else:
        await checkout.lapse(handle, one)


async def on_insurer(handle: Handle, change: Change) -> None:
    """The insurer has said something of a settlement."""
    async with handle.connection() as connection:
        one = await reading.of_settlement(connection, change.id.removeprefix("clr-"))
    if one is not None and one.state == "settling":
        await checkout.go_on(handle, one, f"told/{change.version}")


async def on_visit(handle: Handle, change: Change) -> None:
    """A consultation has come to its end."""
    if change.method.lower() == "create":
        return  # It ends later than it begins; hospitals tell of visits of their own by the hundred.
    encounter = await handle.read("Encounter", change.id)
    if encounter is not None and encounter.get("status") in {"finished", "cancelled"} and tagged(encounter, KIND):
        await _follow(handle, change, checkout.VISIT, change.id)


async def on_medicine(handle: Handle, change: Change) -> None:
    """Medicine will not be handed over."""
    if change.method.lower() == "create":
        return
    resource = await handle.read(change.type, change.id)
    if resource is not None and resource.get("status") in _OVER[change.type]:
        # The ids of both begin with the number of the prescription.
        await _follow(handle, change, checkout.MEDICINE, change.id.partition("-")[0])


async def on_notice(handle: Handle, change: Change) -> None:
    """Medicine was handed over, at the counter or at the door; the notice of it is written in the same transaction."""
    notice = await handle.read("Communication", change.id)
    codes = [one.get("code") for concept in (notice or {}).get("category", ()) for one in concept.get("coding", ())]
    if notice is not None and _DELIVERED in codes:
        about = str(notice["about"][0]["reference"]).removeprefix("MedicationRequest/")
        await _follow(handle, change, checkout.MEDICINE, about.partition("-")[0])


async def on_fee(handle: Handle, change: Change) -> None:
    """The fee of a number was paid."""
    async with handle.connection() as connection:
        order = await payments.order_of(connection, change.id)
    if order is not None and order.source == numbers.SOURCE and order.paid_fen:
        await _follow_number(handle, change, order.lines[0].code)


async def on_booking(handle: Handle, change: Change) -> None:
    """A booking was given back."""
    made = await handle.read("Appointment", change.id)
    if made is not None and made.get("status") == "cancelled":
        await _follow_number(handle, change, change.id)


async def _follow_number(handle: Handle, change: Change, appointment: str) -> None:
    async with handle.connection() as connection:
        await jobs.enqueue(connection, numbers.JOB, {"appointment": appointment}, key=f"{change.type}/{change.id}/{change.version}")


async def _follow(handle: Handle, change: Change, kind: str, about: str) -> None:
    async with handle.connection() as connection:
        await jobs.enqueue(connection, settling.FOLLOW, {"kind": kind, "about": about}, key=f"{change.type}/{change.id}/{change.version}")


def reactions() -> list[Reaction]:
    """The reactions of this room."""
    nothing = set[str]()
    return [
        Reaction("internet_hospital.paid", listens={"Invoice"}, writes=nothing, act=on_invoice),
        Reaction("internet_hospital.insurer", listens={"ClaimResponse"}, writes=nothing, act=on_insurer),
        Reaction("internet_hospital.visit", listens={"Encounter"}, writes=nothing, act=on_visit),
        Reaction("internet_hospital.medicine", listens=set(_OVER), writes=nothing, act=on_medicine),
        Reaction("internet_hospital.fee", listens={"Invoice"}, writes=nothing, act=on_fee),
        Reaction("internet_hospital.booking", listens={"Appointment"}, writes=nothing, act=on_booking),
        Reaction("internet_hospital.delivered", listens={"Communication"}, writes=nothing, act=on_notice),
    ]
