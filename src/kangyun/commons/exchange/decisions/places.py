"""Which field of a message an element of a resource came from: what the record refuses is told in the sender's own words."""

from __future__ import annotations

import re
from itertools import takewhile

from kangyun.base import rules
from kangyun.commons.exchange.decisions.message import Message

_PACKAGE = "kangyun.commons.exchange"
_FOLDER = "hl7v2/segments/"
_INDEX = re.compile(r"\[\d+\]")


def place_of(message: Message, expression: str | None) -> str:
    """The field that fills most of an element such as `Appointment.minutesDuration`, as `SCH-9`; empty where none is known."""
    type_, *path = _INDEX.sub("", expression or "").split(".")
    present = {segment.name for segment in message.segments}
    best, place = 0, ""
    for name in sorted(one for one in rules.names(_PACKAGE) if one.startswith(_FOLDER)):
        body = rules.load(_PACKAGE, name)
        if body.body["resource"] != type_ or body.body["segment"] not in present:
            continue
        for row in body.table:
            to = [step for step in str(row["to"]).split(".") if not step.isdecimal()]
            shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(path, to, strict=False))))
            if "from" in row and shared > best:
                best, place = shared, str(row["from"])
    return place
