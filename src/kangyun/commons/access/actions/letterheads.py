"""The head of an institution's papers: name, address and telephone from its Organization, beside logo and colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access.actions.gate import Handle
from kangyun.commons.access.decisions.letterheads import checked_logo, colours
from kangyun.commons.access.queries.letterheads import Mark, mark_of, sql


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands at the head of a paper; `english`, address, phone and logo may be absent."""

    name: str
    english: str
    address: str
    phone: str
    mark: Mark

    def called(self, language: str) -> str:
        """The name for people who read `language`."""
        return self.english if language == "en" and self.english else self.name


async def letterhead(handle: Handle, institution: str | None) -> Letterhead | None:
    """The letterhead of the Organization with this id; None when there is no such institution."""
    found = await handle.read("Organization", institution) if institution else None
    if found is None or not institution:
        return None
    mark = await mark_of(handle.database, institution)
    return Letterhead(
        str(found.get("name", "")), _english(found), _address(found), _phone(found), mark or Mark(next(iter(colours()))))


def _english(found: dict[str, Any]) -> str:
    for translation in found.get("_name", {}).get("extension", ()):
        told = {str(one["url"]): one for one in translation.get("extension", ())}
        if told.get("lang", {}).get("valueCode") == "en":
            return str(told.get("content", {}).get("valueString", ""))
    return ""


def _address(found: dict[str, Any]) -> str:
    first: dict[str, Any] = next(iter(found.get("address", ())), {})
    return str(first.get("text") or "".join(first.get("line", ())))


def _phone(found: dict[str, Any]) -> str:
    return next((str(one.get("value", "")) for one in found.get("telecom", ()) if one.get("system") == "phone"), "")


async def choose_mark(handle: Handle, institution: str, colour: str, logo: bytes | None, *, drop: bool = False) -> None:
    """Keep colour and logo; without a new logo the old one stays, unless it is dropped.

    Raises Problem 422 for a colour that is not offered, or a logo that is no PNG or JPEG of at most 200 KB.
    """
    if colour not in colours():
        raise refuse(422, "value", "access.letterhead-colour")
    checked = checked_logo(logo) if logo else None
    if logo and checked is None:
        raise refuse(422, "value", "access.letterhead-logo")
    kept = None if drop else await mark_of(handle.database, institution)
    content, kind = checked or ((kept.logo, kept.logo_type) if kept else (None, None))
    async with handle.database.connection() as connection:
        await connection.execute(sql.put_letterhead, institution, colour, content, kind, clock.now(), handle.actor.name)
