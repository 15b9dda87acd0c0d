"""Resources on their way to the record: who they are is fixed by what the message says, so a repetition is the same.

A draft's id is computed from its seed (the sender's own identifiers). Thus two connections that bring the same report
write the same resource, a correction finds what it corrects, and no search is needed for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from kangyun.base.naming import named_id
from kangyun.commons.exchange.decisions.message import Message, Segment
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.model import SENDER_SYSTEM

_NAMESPACE = UUID("7f0c2c52-6d0e-5d0b-9b2b-1115c0de2026")

# Stands in a seed where the resident's id will stand.
RESIDENT = "\0resident"

# How a draft joins what the record already holds under its id; `update` lets its elements win and leaves the others.
Join = Literal["replace", "visit", "result", "keep", "update", "list"]


@dataclass(slots=True)
class Draft:
    """One resource to be written; `reference` is shared by all that point at it and is filled in at the end."""

    resource: dict[str, Any]
    seed: tuple[str, ...]
    join: Join = "replace"
    reference: dict[str, Any] = field(default_factory=dict[str, Any])
    event: str = ""
    # Elements that stand in where neither the message nor the record has them.
    fallback: dict[str, Any] = field(default_factory=dict[str, Any])
    # Codes that a list of codes no longer has; of a visit `planned`, where nobody is awaited any more.
    gone: list[str] = field(default_factory=list[str])

    @property
    def type(self) -> str:
        """The resource type."""
        return str(self.resource["resourceType"])

    def settle(self, resident: str) -> str:
        """Fix the id, now that the resident is known; returns it."""
        parts = [resident if part == RESIDENT else part for part in self.seed]
        type_ = self.type
        found = named_id(_NAMESPACE, "|".join([type_, *[part.replace("|", "||") for part in parts]]))
        self.reference["reference"] = f"{type_}/{found}"
        return found


@dataclass(frozen=True, slots=True)
class Joint:
    """What a message says of two identities of its sender, in plain words.

    `merge`: who has the `other` identifiers is the Patient at place `kept` of Sheet.patients, which remains; `change`: that
    Patient had these identifiers before; `link` and `unlink`: the two are, or are not, one person, and both remain.
    """

    kind: Literal["merge", "change", "link", "unlink"]
    kept: int
    other: list[dict[str, Any]]


@dataclass(slots=True)
class Group:
    """One report with its results: the OBR and what stands under it."""

    draft: Draft
    segment: Segment
    seed: tuple[str, ...]
    is_document: bool
    parent: Draft | None = None
    specimen: Draft | None = None
    told: list[tuple[Segment, Draft]] = field(default_factory=list[tuple[Segment, Draft]])
    observations: list[Draft] = field(default_factory=list[Draft])
    counts: dict[str, int] = field(default_factory=dict[str, int])


class Sheet:
    """All drafts of one message, and what their translation needs to know.

    `occurred` is when the event happened, `issued` when the message was made; FHIR dateTime and instant.
    """

    def __init__(self, message: Message, sender: Sender, occurred: str, issued: str | None) -> None:
        self.message = message
        self.sender = sender
        self.occurred = occurred
        self.issued = issued
        self.order: Segment | None = None
        self.group: Group | None = None
        self.groups: list[Group] = []
        self.last: tuple[Segment, Draft] | None = None
        self.subject: dict[str, Any] = {"reference": RESIDENT}
        self.visit: Draft | None = None
        self.patients: list[dict[str, Any]] = []
        self.joints: list[Joint] = []
        self.specimen: Draft | None = None
        self.account: Draft | None = None
        # The order, drug, appointment or document that the segments behind it say more about.
        self.request: Draft | None = None
        self.detailed = False
        self.drafts: list[Draft] = []
        self._organization: dict[str, Any] | None = None
        self._known: dict[tuple[str, ...], Draft] = {}

    @property
    def merged(self) -> list[list[dict[str, Any]]]:
        """The identifiers that each Patient of a merge or a change of number replaces, one list for each Patient."""
        return [joint.other for joint in self.joints if joint.kind in {"merge", "change"}]

    def known(self, type_: str, *seed: str) -> Draft | None:
        """The draft that the message has brought already under a type and seed."""
        return self._known.get((type_, *seed))

    def add(self, resource: dict[str, Any], *seed: str, join: Join = "replace", event: str = "") -> Draft:
        """Add a resource; a second one of the same type and seed replaces the first in its place."""
        draft = Draft(resource, seed, join, event=event)
        place = (draft.type, *seed)
        known = self._known.get(place)
        if known is not None:
            known.resource = resource
            return known
        self._known[place] = draft
        self.drafts.append(draft)
        return draft

    def organization(self) -> dict[str, Any]:
        """A reference to the organisation that sends, which enters the directory."""
        if self._organization is None:
            sender = self.sender
            own = [{"system": SENDER_SYSTEM, "value": sender.key}]
            content = {"active": True, "identifier": own, "name": sender.name}
            self._organization = self.entry("Organization", content, sender.name, sender.key)
        return self._organization

    def entry(self, type_: str, content: dict[str, Any], display: str, *seed: str) -> dict[str, Any]:
        """A reference to a directory entry (Practitioner, Organization, Location), written if nobody has yet."""
        known = self._known.get((type_, *seed))
        if known is None:
            known = self.add({"resourceType": type_, **content}, *seed, join="keep")
        reference = known.reference
        reference.setdefault("display", display)
        return reference
