"""What the state of a prescription means for its money."""

from __future__ import annotations

from datetime import datetime

from kangyun.base.errors import refuse
from kangyun.support import drugs

_ENDS = {
    "delivered": "deliver", "settled": "deliver", "archived": "deliver", "cancelled": "cancel", "expired": "cancel", "refused": "cancel", "replaced": "cancel",
    "taken_back": "return",
}
_PAYABLE = {"circulated", "locked"}
_NOT_YET = {"draft", "signed", "claimed", "confirming", "returned"}


def check(found: drugs.Held, now: datetime) -> None:
    """Raise Problem 409 where a prescription cannot be paid for: not reviewed, no way chosen, over, or no longer valid."""
    if found.state in _NOT_YET:
        raise refuse(409, "business-rule", "internet_hospital.not-reviewed")
    if found.state == "passed":
        raise refuse(409, "business-rule", "internet_hospital.no-way")
    if found.state == "expired" or found.valid_until < now:
        raise refuse(409, "conflict", "internet_hospital.prescription-expired")
    if found.state not in _PAYABLE:
        raise refuse(409, "conflict", "internet_hospital.prescription-over")


def end_of(found: drugs.Held) -> str:
    """The event for the money when a prescription stands so: deliver, cancel, return; '' as long as it is on its way."""
    return _ENDS.get(found.state, "")


def way_of(found: drugs.Held) -> str:
    """The way to the door, as rules/checkout.yaml names it: collect, courier, cold."""
    if found.way != "courier":
        return "collect"
    return "cold" if found.cold else "courier"
