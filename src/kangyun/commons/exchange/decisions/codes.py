"""Local codes to FHIR codes, by the tables of rules/codes; a sender's own table comes first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from kangyun.base import rules
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.model import Fault

_PACKAGE = "kangyun.commons.exchange"
_HL7_TABLE = re.compile(r"HL7-?(\d{4})")
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


def find(table: str, code: str, sender: Sender) -> Any:
    """What a code means in a table of rules/codes, or None."""
    own = sender.codes.get(table)
    if own and code in own:
        return own[code]
    return rules.load(_PACKAGE, f"codes/{table}.yaml").map.get(code)


def table(name: str) -> Mapping[str, Any]:
    """A whole table of rules/codes, for what no sender has a table of its own."""
    return rules.load(_PACKAGE, f"codes/{name}.yaml").map


def require(table: str, code: str, sender: Sender) -> Any:
    """As `find`. Raises Fault when the table does not know the code."""
    found = find(table, code, sender)
    if found is None:
        raise Fault("exchange.bad-code", params={"value": code[:20]}, code="103")
    return found


def system_of(name: str, sender: Sender) -> str | None:
    """The URI of a coding system named in a CE or CWE (HL7 table 0396, or the sender's own name)."""
    return _system_of(name.strip(), sender) if name else None


@lru_cache(maxsize=4096)
def _system_of(name: str, sender: Sender) -> str:
    known = sender.authorities.get(name) or rules.load(_PACKAGE, "codes/coding_systems.yaml").map.get(name.upper())
    if known:
        return str(known)
    table = _HL7_TABLE.fullmatch(name.upper())
    if table:
        return f"http://terminology.hl7.org/CodeSystem/v2-{table[1]}"
    if _OID.fullmatch(name):
        return f"urn:oid:{name}"
    if name.startswith(("http://", "https://", "urn:")):
        return name
    return f"{sender.urn}:codes:{quote(name, safe='')}"


def concept(parts: list[str], sender: Sender, fallback: str = "") -> dict[str, Any] | None:
    """A CodeableConcept from the components of a CE or CWE: code^text^system^code^text^system^^^original text.

    `fallback` names the coding system where the field names none.
    """
    parts = [*parts, *[""] * (9 - len(parts))]
    codings: list[dict[str, str]] = []
    for code, display, system in ((parts[0], parts[1], parts[2] or fallback), (parts[3], parts[4], parts[5])):
        if code:
            codings.append(_coding(code, display, system_of(system, sender)))
    text = parts[8] or parts[1] or parts[4] or parts[0]
    if not codings and not text:
        return None
    found: dict[str, Any] = {"coding": codings} if codings else {}
    return {**found, "text": text}


def _coding(code: str, display: str, system: str | None) -> dict[str, str]:
    # FHIR codes hold no blanks but single ones inside; some systems put whole sentences there.
    coding = {"system": system} if system else {}
    return {**coding, "code": " ".join(code.split()), **({"display": display} if display else {})}
