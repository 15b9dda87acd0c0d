"""Adding and changing institutions. Whoever keeps all may do it anywhere, an administrator at the own one and below it.

The rights are judged here, with the caller's handle; what is written goes through the platform's own, since a new
institution is below nobody until it is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.errors import Problem, refuse
from kangyun.commons import exchange
from kangyun.commons.access import AccessParts, Actor, Event, Gate, Handle, Trail, Write, administer, escaped, staff_of
from kangyun.support.institutions import decisions
from kangyun.support.institutions.decisions import institution
from kangyun.support.institutions.model import CODE_SYSTEM, KIND_SYSTEM, SENDER_SYSTEM, Institution

log = structlog.get_logger()

ALL = "institutions.all"
CHANNELS = ("fhir", "mllp", "http", "folder")
_NAME = "institutions"
# An institution that is part of itself by mistake must not hold us for ever.
_DEEPEST = 12


class Parts(Protocol):
    """The opened parts of one process."""

    @property
    def gate(self) -> Gate:
        """The gate."""
        ...

    @property
    def trail(self) -> Trail:
        """The audit trail."""
        ...

    @property
    def database(self) -> Database:
        """The database."""
        ...


@dataclass(frozen=True, slots=True)
class System:
    """A system of an institution: the name by which it sends, and how (one of CHANNELS)."""

    sender: str
    channel: str = ""
    known: bool = False


async def add(parts: Parts, handle: Handle, wish: Institution) -> Institution:
    """Add an institution: its Organization and its Location. One that already sends messages is taken over with its id.

    Raises Problem: 422 for what cannot be right, 404 for a parent that is not there, 409 when it was added before.
    """
    wish = replace(wish, code=wish.code.strip().upper(), name=wish.name.strip())
    await _check(handle, wish)
    wish = replace(wish, id=exchange.organization_id(exchange.sender_of(wish.sender)) if wish.sender else decisions.id_of(wish))
    kept = await handle.read("Organization", wish.id)
    if kept is not None and institution(kept).kind:
        raise refuse(409, "duplicate", "institutions.exists")
    await _write(parts, handle.actor, wish, kept)
    return wish


async def _check(handle: Handle, wish: Institution) -> None:
    for field in decisions.faults(wish):
        # What is not there is not wrong.
        raise refuse(422, "required", "institutions.no-code") if field == "code" and not wish.code else refuse(422, "value", f"institutions.wrong-{field}")
    if wish.parent:
        await guard(handle, wish.parent)
    elif not handle.may(ALL):
        raise refuse(403, "forbidden", "base.forbidden")
    if wish.code and await found_by_code(handle, wish.code):
        raise refuse(409, "duplicate", "institutions.exists")


async def _write(parts: Parts, actor: Actor, wish: Institution, kept: dict[str, Any] | None) -> None:
    organization = decisions.organization(wish, kept)
    version = int(kept["meta"]["versionId"]) if kept else 0
    await parts.gate.system(_NAME).commit([
        Write("update", "Organization", organization, id=wish.id, if_match=version),
        Write("update", "Location", decisions.location(organization), id=wish.id),
    ])
    await _note(parts, actor, "update" if kept else "create", wish.id)


async def _note(parts: Parts, actor: Actor, action: str, id_: str) -> None:
    """Write down on whose behalf the platform wrote."""
    parts.trail.note(Event(
        clock.now(), actor.name, actor.role, action, institution=actor.institution, account=actor.account, session=actor.session,
        permission="institutions.manage", types=["Organization"], resources=[f"Organization/{id_}"], purpose="administration",
        address=actor.address))
    await parts.trail.settled()
    log.info("institutions.written")


async def change(parts: Parts, handle: Handle, wish: Institution) -> None:
    """Change names, address and telephone of an institution; its code, kind and place among others stay as they are.

    Raises Problem: 404 when it is not there or not the caller's, 422 for what cannot be right.
    """
    kept = await guard(handle, wish.id)
    wish = replace(institution(kept), name=wish.name.strip(), english=wish.english, address=wish.address, phone=wish.phone)
    for field in [one for one in decisions.faults(wish) if one not in {"code", "kind"}]:
        raise refuse(422, "value", f"institutions.wrong-{field}")
    await _write(parts, handle.actor, wish, kept)


async def guard(handle: Handle, id_: str) -> dict[str, Any]:
    """The Organization, if the caller may administer it. Raises Problem 404: hidden and absent look the same."""
    found = await handle.read("Organization", id_)
    if found is None or not (handle.may(ALL) or await _below(handle, found, handle.actor.institution)):
        raise refuse(404, "not-found", "institutions.unknown")
    return found


async def _below(handle: Handle, found: dict[str, Any] | None, top: str | None) -> bool:
    for _ in range(_DEEPEST):
        if found is None or not top:
            return False
        if found["id"] == top:
            return True
        parent = institution(found).parent
        found = await handle.read("Organization", parent) if parent else None
    return False


async def found_by_code(handle: Handle, code: str) -> Institution | None:
    """The institution of a unified social credit code."""
    page = await handle.search("Organization", [("identifier", f"{CODE_SYSTEM}|{escaped(code)}"), ("type", f"{KIND_SYSTEM}|")])
    return institution(page.resources[0]) if page.resources else None


async def below(handle: Handle, parent: str) -> list[Institution]:
    """The institutions that are part of another, by name; at most 500."""
    query = [("partof", f"Organization/{parent}"), ("type", f"{KIND_SYSTEM}|"), ("_sort", "name"), ("_count", "500")]
    return [institution(one) for one in (await handle.search("Organization", query)).resources]


async def named(handle: Handle, text: str) -> list[Institution]:
    """Institutions whose name contains a text, or the first fifty by name."""
    query = [("type", f"{KIND_SYSTEM}|"), ("_sort", "name"), ("_count", "50")]
    words = [("name:contains", escaped(text))] if text else []
    return [institution(one) for one in (await handle.search("Organization", [*words, *query])).resources]


async def systems(handle: Handle, found: Institution) -> list[System]:
    """The systems of an institution: the one that it is known by itself, and those registered for it."""
    query = [("partof", f"Organization/{found.id}"), ("identifier", f"{SENDER_SYSTEM}|"), ("_count", "50")]
    others = [institution(one).sender for one in (await handle.search("Organization", query)).resources]
    return [System(one, exchange.registered(one).channel, bool(exchange.registered(one).key_hash)) for one in [found.sender, *others] if one]


async def heard(parts: Parts, found: Institution, known: list[System]) -> bool:
    """Whether a resident has come from one of the institution's systems."""
    ids = [found.id, *(exchange.organization_id(exchange.sender_of(one.sender)) for one in known)]
    whose = ("organization", ",".join(f"Organization/{one}" for one in ids))
    return bool((await parts.gate.system(_NAME).search("Patient", [whose, ("_count", "1")])).resources)


async def register_system(parts: Parts, handle: Handle, found: Institution, wish: System) -> str:
    """Register the system of an institution as a sender of its own below it; returns its key, which is shown once.

    Raises Problem: 422 without a name or with an unknown channel, 409 when the name is another institution's.
    """
    if not wish.sender or wish.channel not in CHANNELS:
        raise refuse(422, "value", "institutions.wrong-sender")
    if wish.sender != found.sender:
        await _place(parts, handle.actor, found, wish.sender)
    registration = replace(exchange.registered(wish.sender), name=found.name, institution=found.id, channel=wish.channel)
    await exchange.register(parts.database, registration, handle.actor.name)
    return await exchange.new_key(parts.database, wish.sender, handle.actor.name)


async def _place(parts: Parts, actor: Actor, found: Institution, sender: str) -> None:
    """Put the Organization by which messages name the sender below its institution, so that what it records is the institution's."""
    id_ = exchange.organization_id(exchange.sender_of(sender))
    own = parts.gate.system(_NAME)
    kept = await own.read("Organization", id_)
    if kept is not None and (institution(kept).kind or institution(kept).parent not in {"", found.id}):
        raise refuse(409, "conflict", "institutions.sender-taken")
    placed = decisions.sender_organization(id_, sender, found, kept)
    version = int(kept["meta"]["versionId"]) if kept else 0
    await own.commit([Write("update", "Organization", placed, id=id_, if_match=version)])
    await _note(parts, actor, "update" if kept else "create", id_)


async def administer_staff(parts: AccessParts, handle: Handle, id_: str, membership: str, deed: str) -> str:
    """Withdraw a role of somebody who works at an institution, lock, unlock or reset the login; the token of an invitation after a reset.

    Raises Problem: 404 for an institution or a role that is not the caller's to administer, else as `access.administer`.
    """
    await guard(handle, id_)
    rows = [row for row in await staff_of(parts.database, id_) if row.membership == membership]
    if not rows:
        raise refuse(404, "not-found", "institutions.unknown")
    return await administer(parts, handle.actor, rows[0], deed)


def refused_field(problem: Problem) -> str:
    """Which field of a form a refusal is about; empty when it is about none."""
    kinds_of = (one.key.removeprefix("institutions.").partition("-") for one in problem.issues)
    return next((field for kind, _, field in kinds_of if kind in {"wrong", "no"}), "")
