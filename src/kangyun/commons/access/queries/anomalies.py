"""Reads of what stands out in the audit trail, and of what a day of it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from kangyun.base.database import Database, queries
from kangyun.base.keys import KeyStore, Unopenable

sql = queries("kangyun.commons.access", "queries/anomalies.sql")

SEAL_KEY = "audit-anomaly"
_MOST = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of audit_anomaly; `words` and `remark` are opened by `said`."""

    id: str
    rule: str
    name: str
    role: str
    institution: str
    day: date
    resident: int
    count: int
    lane: int
    seq: int
    words: bytes | None
    asker: str | None
    found: datetime
    state: str
    remark: bytes | None
    reviewed: datetime | None
    reviewer: str | None

    @property
    def event(self) -> str:
        """The id of an event that shows it."""
        return f"{self.lane}-{self.seq}" if self.seq else ""


async def listed(database: Database, state: str | None, rule: str | None) -> list[Listed]:
    """The anomalies of a state and a rule (None: any), open ones first, then the newest."""
    async with database.connection() as connection:
        return [Listed(**dict(row)) for row in await connection.fetch(sql.listed, state, rule, _MOST)]


async def one(database: Database, id_: str) -> Listed | None:
    """The anomaly of an id."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.one, id_)
    return Listed(**dict(row)) if row else None


async def open_counts(database: Database) -> dict[str, int]:
    """How many wait for a review, by rule."""
    async with database.connection() as connection:
        return {row["rule"]: row["n"] for row in await connection.fetch(sql.counts)}


async def asked_by(database: Database, account: str) -> list[Listed]:
    """What a resident asked, newest first."""
    async with database.connection() as connection:
        return [Listed(**dict(row)) for row in await connection.fetch(sql.asked_by, account)]


def said(keys: KeyStore, found: Listed) -> tuple[str, str]:
    """The resident's words and the auditor's remark; '' where there are none."""
    return _opened(keys, found.words, found.id), _opened(keys, found.remark, found.id)


def _opened(keys: KeyStore, sealed: bytes | None, id_: str) -> str:
    try:
        return keys.open(SEAL_KEY, sealed, id_.encode()).decode() if sealed else ""
    except Unopenable:
        return ""
