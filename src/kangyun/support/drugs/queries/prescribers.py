"""Who prescribes: registration, title and rights as the directory says them on a day."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date
from typing import Any

from kangyun.base import clock
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Handle
from kangyun.support.drugs.model import Prescriber
from kangyun.support.drugs.model.circulation import RIGHT_SYSTEM, TITLE_SYSTEM

Json = dict[str, Any]

_GRADE = "urn:kangyun:hospital-grade"


async def prescriber(handle: Handle, practitioner: str, institution: str, on: date) -> Prescriber:
    """What somebody may prescribe at an institution on a day; `registered` is False where no PractitionerRole says so."""
    query = [("practitioner", f"Practitioner/{practitioner}"), ("organization", f"Organization/{institution}"), ("_count", "50")]
    # Together: reads that are asked for at once are one statement.
    found, person, place = await asyncio.gather(
        handle.search("PractitionerRole", query), handle.read("Practitioner", practitioner), handle.read("Organization", institution))
    posts = [one for one in found.resources if _holds(one, on)]
    titles = [code for post in posts for code in _codes(post.get("code", ()), TITLE_SYSTEM)]
    rights = {code for one in (person or {}).get("qualification", ()) if _lasts(one.get("period"), on) for code in _codes([one.get("code", {})], RIGHT_SYSTEM)}
    grades = [code for code in _codes((place or {}).get("type", ()), _GRADE) if code.isdigit()]
    return Prescriber(
        practitioner, title=next(iter(titles), "attending"), rights=frozenset(rights), registered=bool(posts) and (person or {}).get("active") is not False,
        grade=int(next(iter(grades), "0")))


def _holds(post: Json, on: date) -> bool:
    return post.get("active") is not False and _lasts(post.get("period"), on)


def _lasts(period: Json | None, on: date) -> bool:
    """Whether a day is inside of a period; dates are compared as far as both are written."""
    said = period or {}
    start, end, day = str(said.get("start", ""))[:10], str(said.get("end", ""))[:10], on.isoformat()
    return (not start or start <= day[: len(start)]) and (not end or day[: len(end)] <= end)


def _codes(concepts: Iterable[Json], system: str) -> list[str]:
    return [str(one["code"]) for concept in concepts for one in concept.get("coding", ()) if one.get("system") == system and "code" in one]


def today() -> date:
    """The day in China, where prescriptions are valid for days."""
    return clock.now().astimezone(CHINA).date()
