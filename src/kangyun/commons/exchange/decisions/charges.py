"""Charges: FT1 of DFT to ChargeItem.

HL7 v2.5.1 chapter 6, section 6.5.1 FT1; table 0017.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kangyun.commons.exchange.decisions import codes, quantities
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.maps import told
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.model import Fault


def charge(segment: Segment, sheet: Sheet) -> None:
    """FT1 to ChargeItem; payments and adjustments are no services and are left to the account. Raises Fault."""
    status = codes.table("charge_status").get(segment.text(6).upper())
    if status is None:
        return
    found = told("ft1", segment, sheet)
    found["status"] = status
    if sheet.account is not None:
        found["account"] = [sheet.account.reference]
    price = _price(segment)
    if price:
        found["priceOverride"] = price
    number = segment.text(2) or segment.text(1)
    if not number:
        raise Fault("exchange.missing-field", "FT1-2", code="101")
    if segment.text(2):
        found["identifier"] = [{"system": f"{sheet.sender.urn}:CHARGE", "value": number}]
    seed = (sheet.sender.urn, number) if segment.text(2) else (sheet.sender.urn, sheet.message.control_id, number)
    sheet.request = sheet.add(found, *seed)
    sheet.last = (segment, sheet.request)


def _price(segment: Segment) -> dict[str, Any] | None:
    """FT1-11, the amount of the line, else FT1-12, the price of one, times the quantity."""
    for field in (11, 12):
        amount = segment.text(field, 1, 1)
        if amount:
            value = _number(amount, f"FT1-{field}")
            count = segment.text(10)
            if field == 12 and count:
                value *= _number(count, "FT1-10")
            return {"value": value, "currency": _currency(segment.text(field, 1, 2))}
    return None


def _number(text: str, place: str) -> Decimal:
    try:
        return Decimal(quantities.decimal(text))
    except Fault as fault:
        fault.place = place
        raise


def _currency(text: str) -> str:
    return text.upper() if len(text) == 3 and text.isalpha() else "CNY"
