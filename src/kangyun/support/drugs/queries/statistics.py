"""What the reviews of an institution's prescriptions come to in some days: passed, returned, how long, which findings, which drugs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from kangyun.base.database import Connection, queries
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Handle
from kangyun.support.drugs.decisions.statistics import Shares, shares
from kangyun.support.drugs.model import Drug
from kangyun.support.drugs.model.circulation import REVIEW_SYSTEM

sql = queries("kangyun.support.drugs", "queries/statistics.sql")

_PAGE = 500
_MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures. `events`: how many prescriptions met each; minutes from signature to verdict: half of them, 95 of 100."""

    prescriptions: int
    lines: float | None
    events: Mapping[str, int]
    half: float | None
    most: float | None
    judged: int
    late: int
    doctors: Sequence[tuple[str, int, int]]
    shares: Shares


async def statistics(connection: Connection, institution: str, days: tuple[date, date], drugs: Mapping[str, Drug]) -> Statistics:
    """The figures of an institution for days, both within."""
    whose = institution, *_span(days)
    overview, waits = await connection.fetchrow(sql.overview, *whose), await connection.fetchrow(sql.waits, *whose)
    assert overview is not None
    assert waits is not None
    events = {row["event"]: int(row["prescriptions"]) for row in await connection.fetch(sql.events, *whose)}
    doctors = [(row["practitioner"], int(row["prescriptions"]), int(row["back"])) for row in await connection.fetch(sql.doctors, *whose)]
    used = {row["code"]: int(row["prescriptions"]) for row in await connection.fetch(sql.drugs, *whose)}
    return Statistics(
        int(overview["prescriptions"]), overview["lines"], events, _float(waits["half"]), _float(waits["most"]), int(waits["judged"]),
        int(waits["late"]), doctors, shares(used, drugs))


def _span(days: tuple[date, date]) -> tuple[datetime, datetime]:
    first, last = days
    return datetime.combine(first, time(), CHINA), datetime.combine(last + timedelta(days=1), time(), CHINA)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


async def kinds_found(own: Handle, institution: str, days: tuple[date, date]) -> tuple[list[tuple[str, int]], bool]:
    """How often each kind of finding met an institution's prescriptions, most often first; and whether some were left out.

    `own` is the platform's handle: only counts leave here.
    """
    first, last = days
    async with own.connection() as connection:
        numbers = {row["number"] for row in await connection.fetch(sql.numbers, institution, *_span(days))}
    query = [("identified", f"ge{first.isoformat()}"), ("identified", f"le{last.isoformat()}"), ("_count", str(_PAGE))]
    found: Counter[str] = Counter()
    page = await own.search("DetectedIssue", query)
    for _ in range(_MOST_PAGES):
        found.update(code for one in page.resources if str(one["id"]).partition("-finding-")[0] in numbers for code in _kinds(one))
        if not page.next:
            return found.most_common(), False
        page = await own.search("DetectedIssue", page.next)
    return found.most_common(), True


def _kinds(issue: Mapping[str, Any]) -> list[str]:
    return [str(one["code"]) for one in issue.get("code", {}).get("coding", ()) if one.get("system") == REVIEW_SYSTEM]
