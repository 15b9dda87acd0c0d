"""The nouns of the gate: who asks, what was asked, and what a search gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SESSION_COOKIE = "kangyun_session"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: `role` decides what is allowed, at `institution` and for whom; no field holds a person's name.

    name: identifier for logs and the audit trail: user/<account>, client/<id>, local, or the name of a job.
    institution, practitioner, person: ids of an Organization, a Practitioner, a Person; the person is the resident
    oneself, or the ward when the role is guardian.
    account, session: of a login. scopes: of an app (SMART App Launch 2), which only narrow what the role may do;
    None: no app. patient: id of the Patient that an app was launched for.
    """

    name: str
    role: str
    institution: str | None = None
    practitioner: str | None = None
    person: str | None = None
    account: str | None = None
    session: str | None = None
    scopes: str | None = None
    patient: str | None = None
    purpose: str = "care"
    address: str = ""


@dataclass(slots=True)
class Event:
    """Something for the audit trail: who, as what, from where, whom, what, why and with which result.

    action: read, search, history, create, update, delete, or of the room itself: login, logout, switch, consent, ...
    several are joined by a space. permission: of the route. types: resource types. resources: Type/id, at most 1000.
    residents: keys of the Patients concerned. outcome: ok, refused or failed. query: what was searched for, which may
    be about a person and is kept sealed. more: words of a fixed list, such as the reason of a break-glass.
    """

    at: datetime
    name: str
    role: str
    action: str
    institution: str | None = None
    account: str | None = None
    session: str | None = None
    permission: str = ""
    types: list[str] = field(default_factory=list[str])
    resources: list[str] = field(default_factory=list[str])
    residents: list[int] = field(default_factory=list[int])
    purpose: str = ""
    outcome: str = "ok"
    address: str = ""
    query: str = ""
    more: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Found resources as plain data; `next` is the query string of the following page."""

    resources: list[dict[str, Any]]
    included: list[dict[str, Any]]
    total: int | None
    next: str | None


def escaped(text: str) -> str:
    """A text as a part of a search value, whatever signs it holds (FHIR R4, Escaping Search Parameters)."""
    for sign in ("\\", "|", ",", "$"):
        text = text.replace(sign, f"\\{sign}")
    return text
