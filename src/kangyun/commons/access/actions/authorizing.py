"""From an app's request to a person's answer: the request waits, somebody logs in, chooses a resident, says yes or no."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access.actions import grants
from kangyun.commons.access.actions.clients import known, note
from kangyun.commons.access.actions.gate import Handle
from kangyun.commons.access.actions.grants import Allowed
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.actions.people import called, person
from kangyun.commons.access.decisions.authorizing import Asked, judged, sent_back
from kangyun.commons.access.decisions.clients import sends_back_to
from kangyun.commons.access.decisions.policy import role
from kangyun.commons.access.decisions.tokens import Refused, hashed, times
from kangyun.commons.access.model import Actor, escaped
from kangyun.commons.access.queries import accounts, guardians
from kangyun.commons.access.queries import clients as clients_reading
from kangyun.commons.access.queries import grants as reading
from kangyun.commons.access.queries.clients import Client
from kangyun.commons.access.queries.grants import sql

_MOST_FOUND = 20


@dataclass(frozen=True, slots=True)
class Choice:
    """A resident of whom an app may be told: id of a Patient, name, whether it is a ward; `person` is the id of the Person."""

    patient: str
    name: str
    born: str
    sex: str
    person: str | None = None
    ward: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """What is to be opened: an app (id of the client) for a resident (id of the Patient), perhaps in a visit."""

    client: str
    patient: str
    encounter: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that somebody is to answer, under its secret. fixed: the resident whom the launch is about."""

    secret: str
    client: Client
    asked: Asked
    fixed: Choice | None = None
    encounter: str | None = None


async def app_behind(parts: Parts, told: Mapping[str, str]) -> Client:
    """The app that a request comes from and whose address it names; raises Problem 400, since nobody else may be told."""
    client = await clients_reading.client(parts.database, told.get("client_id", "")[:100])
    if client is None or not client.active or "authorization_code" not in client.abilities:
        raise refuse(400, "not-found", "access.app-unknown")
    if not sends_back_to(client.redirects, told.get("redirect_uri", "")):
        raise refuse(400, "value", "access.app-address")
    return client


async def begin(parts: Parts, client: Client, told: Mapping[str, str], audience: str) -> str:
    """Keep a request until it is answered; returns the secret under which it waits. Raises Refused, to be told to the app."""
    asked = judged(told, client.scopes, audience)
    secret, now = secrets.token_urlsafe(24), clock.now()
    content = msgspec.json.encode(asked).decode()
    async with parts.database.connection() as connection:
        await connection.execute(sql.put_asking, hashed(secret), client.id, content, now + timedelta(seconds=times().asking))
    return secret


async def waiting(parts: Parts, handle: Handle, secret: str) -> Waiting:
    """The request that waits under a secret. Raises Problem 404 when there is none, or the launch was somebody else's."""
    found = await reading.asking(parts.database, secret)
    if found is None:
        raise refuse(404, "not-found", "access.app-request-over")
    client, asked = await known(parts, found[0]), found[1]
    if not asked.launch:
        return Waiting(secret, client, asked)
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.launch, hashed(asked.launch), client.id, handle.actor.account, clock.now())
    patient = await handle.read("Patient", row["patient"]) if row else None
    if row is None or patient is None:
        raise refuse(404, "not-found", "access.app-request-over")
    return Waiting(secret, client, asked, choice_of(patient), row["encounter"])


async def choices(parts: Parts, actor: Actor) -> list[Choice]:
    """The residents among whom somebody chooses without searching: oneself and the wards, or the ward one acts for."""
    account = await accounts.account(parts.database, actor.account) if actor.account else None
    if account is None or account.kind != "resident":
        return []
    if actor.role == "guardian":
        return [one for one in [await _own(parts, actor.person, ward=True)] if one]
    held = [one.ward for one in await guardians.guardianships(parts.database, account.id) if one.state == "attested"]
    found = [await _own(parts, account.person), *[await _own(parts, ward, ward=True) for ward in dict.fromkeys(held)]]
    return [one for one in found if one]


async def _own(parts: Parts, person_id: str | None, *, ward: bool = False) -> Choice | None:
    said = await person(parts, person_id) if person_id else {}
    links = [str(link.get("target", {}).get("reference", "")) for link in said.get("link", [])]
    patients = [one.removeprefix("Patient/") for one in links if one.startswith("Patient/")]
    if not patients:
        return None
    chosen = choice_of(said | {"id": await _fullest(parts, patients)})
    return replace(chosen, person=person_id, ward=ward)


async def _fullest(parts: Parts, patients: list[str]) -> str:
    """Of the Patients of one person the one under whom most was written: apps begin there, though they see all."""
    if len(patients) == 1:
        return patients[0]
    handle = parts.gate.system("access.apps")
    counts = {one: (await handle.search("Observation", [("patient", one), ("_summary", "count")])).total or 0 for one in patients[:_MOST_FOUND]}
    return max(patients[:_MOST_FOUND], key=lambda one: counts[one])


def may_search(actor: Actor) -> bool:
    """Whether somebody looks residents up, instead of being one."""
    known_role = role(actor.role)
    return known_role is not None and known_role.kind == "staff"


async def found(handle: Handle, text: str) -> list[Choice]:
    """Residents whom somebody of staff may see, by the beginning of a name or a whole number."""
    wanted = text.strip()
    if not wanted or not may_search(handle.actor):
        return []
    numeric = any(sign.isdigit() for sign in wanted)
    parameter, value = ("identifier", wanted.upper()) if numeric else ("name", wanted)
    page = await handle.search("Patient", [(parameter, escaped(value)), ("_count", str(_MOST_FOUND))])
    return [choice_of(one) for one in page.resources]


async def chosen(parts: Parts, handle: Handle, waits: Waiting, patient: str) -> Choice | None:
    """The resident that was chosen, if somebody may choose this one; None when there is none to choose."""
    if waits.fixed is not None or not waits.asked.needs_patient:
        return waits.fixed
    offered = await choices(parts, handle.actor)
    if offered:
        return next((one for one in offered if one.patient == patient), None)
    seen = await handle.read("Patient", patient) if patient else None
    return choice_of(seen) if seen else None


def choice_of(said: Mapping[str, Any]) -> Choice:
    """A Patient or a Person as somebody chooses it."""
    return Choice(str(said["id"]), called(dict(said)), str(said.get("birthDate", "")), str(said.get("gender", "unknown")))


async def accept(parts: Parts, actor: Actor, waits: Waiting, choice: Choice | None, issuer: str) -> str:
    """Say yes; returns the address that takes the code to the app. Raises Problem 404 when it was answered before."""
    await _take(parts, waits.secret)
    acts = replace(actor, role="guardian", person=choice.person) if choice and choice.ward else actor
    allowed = Allowed(acts, choice.patient if choice else None, waits.encounter)
    code = await grants.allow(parts, waits.client, waits.asked, allowed)
    return sent_back(waits.asked.redirect, code=code, state=waits.asked.state, iss=issuer)


async def deny(parts: Parts, actor: Actor, waits: Waiting, issuer: str) -> str:
    """Say no; returns the address that tells the app so."""
    await _take(parts, waits.secret)
    await note(parts, actor, "app-deny", client=waits.client.id)
    return sent_back(waits.asked.redirect, error="access_denied", state=waits.asked.state, iss=issuer)


async def _take(parts: Parts, secret: str) -> None:
    async with parts.database.connection() as connection:
        if not await connection.fetchval(sql.take_asking, hashed(secret)):
            raise refuse(404, "not-found", "access.app-request-over")


async def launch(parts: Parts, handle: Handle, opening: Opening, audience: str) -> str:
    """Open an app from a resident's page: the address to go to, with a secret that tells the app nothing by itself.

    Raises Problem 404 when there is no such app, or the resident is not there for whoever asks.
    """
    client = await known(parts, opening.client)
    if client.launch is None or await handle.read("Patient", opening.patient) is None or handle.actor.account is None:
        raise refuse(404, "not-found", "access.client-unknown")
    if opening.encounter and await handle.read("Encounter", opening.encounter) is None:
        raise refuse(404, "not-found", "base.not-found")
    secret = secrets.token_urlsafe(32)
    ends = clock.now() + timedelta(seconds=times().launch)
    async with parts.database.connection() as connection:
        await connection.execute(
            sql.put_launch, hashed(secret), client.id, handle.actor.account, opening.patient, opening.encounter, ends)
    await note(parts, handle.actor, "app-launch", client=client.id)
    return sent_back(client.launch, iss=audience, launch=secret)


def refused_at(told: Mapping[str, str], refused: Refused, issuer: str) -> str:
    """The address that tells an app why nobody was asked."""
    return sent_back(
        told["redirect_uri"], error=refused.error, error_description=refused.description, state=told.get("state", "")[:2000], iss=issuer)
