"""What pharmacists and doctors have written to each other about a prescription, and what its review found."""

from __future__ import annotations

from dataclasses import dataclass

from kangyun.commons.access import Handle
from kangyun.support.drugs.model.circulation import Held


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on a prescription; practitioner: id of who wrote it, at: a FHIR instant."""

    practitioner: str
    at: str
    text: str


async def notes_of(own: Handle, found: Held) -> list[Note]:
    """The remarks, first things first; for a door that has judged who asks."""
    task = await own.read("Task", found.task) or {}
    return [
        Note(str(one.get("authorReference", {}).get("reference", "")).removeprefix("Practitioner/"), str(one.get("time", "")), str(one.get("text", "")))
        for one in task.get("note", ())]
