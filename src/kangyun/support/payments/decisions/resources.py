"""How orders, payments and days of a channel stand in the record: Invoice, PaymentNotice, PaymentReconciliation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from kangyun.base import clock, money
from kangyun.base.money import Fen
from kangyun.support.payments.decisions.orders import amount
from kangyun.support.payments.model import (
    CHANNEL_SYSTEM,
    LINE_SYSTEM,
    ORDER_SYSTEM,
    PAYMENT_SYSTEM,
    REFUND_SYSTEM,
    Line,
    Order,
    resident_reference,
)

_STATUS = "http://terminology.hl7.org/CodeSystem/paymentstatus"
_TYPE = "http://terminology.hl7.org/CodeSystem/payment-type"
_SOURCE = "urn:kangyun:payments:source"
_CODE = "urn:kangyun:payments:line"


def invoice(order: Order) -> dict[str, Any]:
    """The Invoice of an order; it has the order's id."""
    whole = money.to_fhir(order.total_fen)
    return {
        "resourceType": "Invoice", "id": order.id, "status": invoice_status(order.state),
        "identifier": [{"system": ORDER_SYSTEM, "value": order.id}], "type": {"coding": [{"system": _SOURCE, "code": order.source}]},
        "subject": resident_reference(order), "date": clock.instant(order.made),
        "issuer": {"reference": f"Organization/{order.institution}"},
        "lineItem": [_line(place, line) for place, line in enumerate(order.lines, 1)],
        "totalNet": whole, "totalGross": whole,
    }


def invoice_status(state: str) -> str:
    """The status of the Invoice of an order in a state."""
    return {"open": "issued", "paying": "issued", "paid": "balanced"}.get(state, "cancelled")


def _line(place: int, line: Line) -> dict[str, Any]:
    coding = [{"system": LINE_SYSTEM, "code": line.kind}, {"system": _CODE, "code": line.code}]
    price = {"type": "deduction" if line.kind == "deduction" else "base", "factor": line.quantity, "amount": money.to_fhir(amount(line))}
    return {"sequence": place, "chargeItemCodeableConcept": {"coding": coding, "text": line.text}, "priceComponent": [price]}


def changed(kept: Mapping[str, Any], state: str, reason: str = "") -> dict[str, Any]:
    """The Invoice after its order has changed; the prices in it stay."""
    whole = {**kept, "status": invoice_status(state)}
    return {**whole, "cancelledReason": reason or state} if whole["status"] == "cancelled" else whole


def payment_notice(order: Order, id_: str, fen: Fen, moment: datetime) -> dict[str, Any]:
    """The PaymentNotice of a payment, or with negative fen of a refund; it has the id of either."""
    back = fen < 0
    system = REFUND_SYSTEM if back else PAYMENT_SYSTEM
    return {
        "resourceType": "PaymentNotice", "id": id_, "status": "active", "created": clock.instant(moment),
        "identifier": [{"system": system, "value": id_}],
        "request": {"reference": f"Invoice/{order.id}"},
        "payment": {"type": "PaymentReconciliation", "identifier": {"system": system, "value": id_}},
        "paymentDate": moment.date().isoformat(), "recipient": {"reference": f"Organization/{order.institution}"},
        "amount": money.to_fhir(fen), "paymentStatus": {"coding": [{"system": _STATUS, "code": "cleared" if back else "paid"}]},
    }


def payment_reconciliation(
    channel: str, day: date, created: datetime, shares: Mapping[str, tuple[Fen, Fen]], *, differences: int,
) -> dict[str, Any]:
    """The PaymentReconciliation of a channel's day. shares: what was paid and what was given back, by institution."""
    details = [
        {"type": {"coding": [{"system": _TYPE, "code": code}]}, "payee": {"reference": f"Organization/{institution}"},
         "date": day.isoformat(), "amount": money.to_fhir(fen)}
        for institution, (paid, back) in sorted(shares.items())
        for code, fen in (("payment", paid), ("adjustment", -back)) if fen
    ]
    whole: dict[str, Any] = {
        "resourceType": "PaymentReconciliation", "id": f"{channel}-{day.isoformat()}", "status": "active",
        "identifier": [{"system": CHANNEL_SYSTEM, "value": f"{channel}/{day.isoformat()}"}],
        "created": clock.instant(created), "outcome": "partial" if differences else "complete", "disposition": str(differences),
        "paymentDate": day.isoformat(), "paymentAmount": money.to_fhir(sum(paid - back for paid, back in shares.values())),
        "detail": details,
    }
    return {name: value for name, value in whole.items() if value != []}
