"""Documents and reports of a resident, as pictures to look at: which of them have one, and what is written in the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]

PICTURES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
OPENED = {*PICTURES, "application/pdf"}
_GONE = {"entered-in-error", "superseded"}
_MOST = 30


@dataclass(frozen=True, slots=True)
class File:
    """A file of a document: its place in it, media type without parameters, and where its bytes are."""

    number: int
    media_type: str
    node: Node

    @property
    def is_picture(self) -> bool:
        """Whether browsers show it as a picture."""
        return self.media_type in PICTURES


@dataclass(frozen=True, slots=True)
class Paper:
    """A document or report: `kind` is its resource type; words is what it says in short."""

    kind: str
    id: str
    title: str
    when: str
    where: str
    words: str
    files: tuple[File, ...]

    @property
    def picture(self) -> File | None:
        """The file that is shown as its picture."""
        return next((one for one in self.files if one.is_picture), None)


def papers(found: Iterable[Node]) -> list[Paper]:
    """Documents and reports, the newest first."""
    made = [paper(one) for one in found if one.get("status") not in _GONE]
    return sorted(made, key=lambda one: one.when, reverse=True)[:_MOST]


def paper(one: Node) -> Paper:
    """One document or report."""
    kind = str(one["resourceType"])
    attachments = [content.get("attachment", {}) for content in one.get("content", ())] if kind == "DocumentReference" else list(one.get("presentedForm", ()))
    files = tuple(File(number, str(node.get("contentType", "")).partition(";")[0].strip().lower(), node) for number, node in enumerate(attachments))
    called = [_text(one.get("code") or one.get("type")), str(one.get("description", "")), *(str(node.get("title", "")) for node in attachments)]
    when = str(one.get("effectiveDateTime") or one.get("effectivePeriod", {}).get("start") or one.get("issued") or one.get("date") or "")
    title = next((text for text in called if text), "")
    return Paper(kind, str(one["id"]), title, when, _where(one), str(one.get("conclusion") or one.get("description") or ""), files)


def _text(concept: Any) -> str:
    node = concept or {}
    return str(node.get("text") or next((coding["display"] for coding in node.get("coding", ()) if coding.get("display")), ""))


def _where(one: Node) -> str:
    named = [*one.get("performer", ()), one.get("custodian") or {}, *one.get("author", ())]
    return next((str(each["display"]) for each in named if each.get("display")), "")
