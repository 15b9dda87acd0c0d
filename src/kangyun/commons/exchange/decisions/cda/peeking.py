"""What can be told of a document before it is taken: who keeps it and what kind it is; never raises."""

from __future__ import annotations

from kangyun.commons.exchange.decisions.cda import header
from kangyun.commons.exchange.decisions.cda.xml import attribute, read
from kangyun.commons.exchange.model import Fault

UNKNOWN = "CDA"


def peek(body: bytes) -> tuple[str, str]:
    """The sender (the institution that keeps the document) and the kind for lists, such as CDA^HSDB04.01."""
    try:
        root = read(body)
    except Fault:
        return UNKNOWN, "CDA"
    number, name = header.sender_of(root)
    code = attribute(root, "code", "code")[:12]
    return (number or name)[:80] or UNKNOWN, "^".join(part for part in ("CDA", code) if part)
