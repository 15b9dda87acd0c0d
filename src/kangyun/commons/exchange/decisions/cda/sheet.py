"""What a document becomes on its way: drafts of resources, and what the builders of its parts share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, first, text
from kangyun.commons.exchange.decisions.drafts import RESIDENT, Draft, Sheet
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.decisions.senders import Sender

_PACKAGE = "kangyun.commons.exchange"

DOCUMENTS = "urn:oid:2.16.156.10011.2.4"
"""The national codes of shared documents: C0001 to C0053 of WS/T 500, HSDA to HSDC of WS/T 483."""


@dataclass(frozen=True, slots=True)
class About:
    """What the rules say of a kind of document: `visit` is the class of the visit that it records, none for a whole life."""

    code: str
    title: Mapping[str, str]
    visit: str = ""


@lru_cache(maxsize=256)
def about(code: str) -> About | None:
    """The national document of a code, or None."""
    found = documents().get(code)
    if found is not None:
        return About(code, found.title, str(found.body.get("visit", "")))
    row = rules.load(_PACKAGE, "cda/emr.yaml").map.get(code)
    return About(code, row, str(row.get("visit", "AMB"))) if row else None


@lru_cache(maxsize=1)
def documents() -> dict[str, rules.Rule]:
    """The rules of the 20 documents of WS/T 483 by their code, in the order of the standard."""
    names = (name for name in rules.names(_PACKAGE) if name.startswith("cda/documents/"))
    found = sorted((rules.load(_PACKAGE, name) for name in names), key=lambda rule: int(rule.body["part"]))
    return {str(rule.body["document"]): rule for rule in found}


class Paper(Sheet):
    """All drafts of one document.

    `set_id` names the document through all its versions, `version` is 1 where it is not told; `visit` is the visit that
    its entries belong to.
    """

    def __init__(self, root: Element, sender: Sender, occurred: str) -> None:
        code = attribute(root, "code", "code")
        kind = parse(f"MSH|^~\\&|||||||CDA^{''.join(sign for sign in code if sign.isalnum())[:12]}|1|P|2.5")
        super().__init__(kind, sender, occurred, occurred if "T" in occurred else None)
        self.root = root
        self.about = about(code)
        self.own_id = _own_id(first(root, "id"))
        set_id = first(root, "setId")
        self.set_id = (_own_id(set_id) if set_id is not None else "") or self.own_id
        version = attribute(root, "versionNumber") or text(root, "versionNumber")
        self.version = int(version) if version.isdecimal() and len(version) < 9 else 1
        self.authors: list[dict[str, Any]] = []
        self.order_of_referral: Draft | None = None
        self._counts: Counter[tuple[str, ...]] = Counter()

    def once(self, resource: dict[str, Any], *natural: str) -> Draft:
        """Add what is the same thing in every document of this sender that tells it: a problem, an allergy, a vaccination."""
        return self.add(resource, RESIDENT, self.sender.key, *natural)

    def stated(self, resource: dict[str, Any], act: Element | None, *natural: str) -> Draft:
        """Add what this document alone states; its id follows from the document and the place among its equals."""
        own = _own_id(first(act, "id")) if act is not None else ""
        seed = (RESIDENT, self.sender.key, self.set_id, own or "?", str(resource["resourceType"]), *natural)
        self._counts[seed] += 1
        return self.add(resource, *seed, str(self._counts[seed]))

    @property
    def encounter(self) -> dict[str, Any] | None:
        """The reference to the visit that the entries belong to; none in documents about a whole life."""
        return self.visit.reference if self.visit is not None and self.about is not None and self.about.visit else None


def _own_id(element: Element | None) -> str:
    if element is None or element.get("nullFlavor"):
        return ""
    return "^".join(part for part in (attribute(element, ".", "root"), attribute(element, ".", "extension") or text(element)) if part)


def received_text(moment: datetime) -> str:
    """The FHIR instant of a moment, for documents that do not say when they were made."""
    return moment.isoformat(timespec="seconds")
