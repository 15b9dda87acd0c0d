"""Codes and identifiers of CDA: object identifiers to the addresses that FHIR uses, and back."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, clean, every, first, is_null, text

_PACKAGE = "kangyun.commons.exchange"
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

ELEMENTS = "urn:oid:2.16.156.10011.2.2.1"
"""The national directory of data elements (WS 363)."""


def system_of(root: str) -> str:
    """The FHIR system of an object identifier; one that is not known is named by itself."""
    return _system_of(root.strip())


@lru_cache(maxsize=4096)
def _system_of(root: str) -> str:
    known = rules.load(_PACKAGE, "cda/systems.yaml").map
    found = known.get(root)
    if found is None and root.startswith("2.16.156.10011.2.3.3.11."):
        found = known["2.16.156.10011.2.3.3.11"]
    if found:
        return str(found)
    if _OID.fullmatch(root):
        return f"urn:oid:{root}"
    return f"urn:uuid:{root.lower()}" if _UUID.fullmatch(root) else f"urn:kangyun:root:{re.sub(r'[^A-Za-z0-9._-]+', '-', root)}"


def root_of(system: str) -> str:
    """The object identifier of a FHIR system, as CDA needs it; a name of ours where it has none."""
    return _roots().get(system) or system.removeprefix("urn:oid:").removeprefix("urn:uuid:")


@lru_cache(maxsize=1)
def _roots() -> dict[str, str]:
    return {str(uri): root for root, uri in reversed(list(rules.load(_PACKAGE, "cda/systems.yaml").map.items()))}


def coding(element: Element) -> dict[str, str] | None:
    """The Coding of a CD, CE or CV; None where there is no code."""
    code = " ".join(attribute(element, ".", "code").split())
    if not code:
        return None
    found = {"system": system_of(root)} if (root := attribute(element, ".", "codeSystem")) else {}
    display = attribute(element, ".", "displayName")
    return {**found, "code": code, **({"display": display} if display else {})}


def concept(element: Element | None) -> dict[str, Any] | None:
    """The CodeableConcept of a CD, CE or CV with its translations and its original text; None where it says nothing."""
    if element is None:
        return None
    codings = [one for part in (element, *every(element, "translation")) if (one := coding(part))]
    words = text(element, "originalText") or attribute(element, ".", "displayName") or own_text(element)
    if not words and codings:
        words = codings[0].get("display", "")
    if not codings and not words:
        return None
    return {**({"coding": _once(codings)} if codings else {}), **({"text": words} if words else {})}


def _once(codings: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({(one.get("system"), one["code"]): one for one in reversed(codings)}.values())[::-1]


def own_text(element: Element) -> str:
    """The text that stands directly in an element."""
    return " ".join(clean(str(element.text or "")).split())


def identifier(element: Element) -> dict[str, Any] | None:
    """The Identifier of an II; None where it identifies nothing."""
    root, extension = attribute(element, ".", "root"), attribute(element, ".", "extension")
    if is_null(element) or not (root or extension):
        return None
    if not root:
        return {"value": extension}
    if extension:
        return {"system": system_of(root), "value": extension}
    return {"system": "urn:ietf:rfc:3986", "value": system_of(root)}


def identifiers(element: Element | None, path: str = "id") -> list[dict[str, Any]]:
    """The identifiers of an act or a role, each once."""
    found = [one for part in every(element, path) if (one := identifier(part))]
    return list({(one.get("system"), one["value"]): one for one in found}.values())


def element_code(act: Element) -> str:
    """The data element that an act states, such as DE04.10.174.00, or nothing."""
    code = first(act, "code")
    for part in (code, *every(code, "translation")):
        if part is not None and attribute(part, ".", "codeSystem") in {"2.16.156.10011.2.2.1", "2.16.156.10011.2.2.2"}:
            return attribute(part, ".", "code")
    # Some senders name no directory; the shape of the codes is unmistakable.
    found = attribute(code, ".", "code") if code is not None else ""
    return found if re.fullmatch(r"(DE|HDS)\d\d\.\d\d\.\d\d\d(\.\d\d)?", found) else ""


@lru_cache(maxsize=1)
def _dictionary() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("cda/elements_more.yaml", "cda/elements.yaml"):
        found |= {str(row["code"]): row for row in rules.load(_PACKAGE, name).table}
    return found


def entry(code: str) -> dict[str, Any]:
    """What the dictionary says of a data element; nothing where it does not know it."""
    return _dictionary().get(code, {})
