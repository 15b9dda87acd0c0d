"""Trying out every address as every role, with what schemathesis makes of its description.

A resident is in the record whose particulars stand nowhere else. Who may not see them must find them in no answer, and
nobody may find a 500.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal
from urllib.parse import quote

import httpx
import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from starlette.types import ASGIApp

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base.web import forms
from kangyun.commons.access import SESSION_COOKIE, Actor
from kangyun.commons.access.decisions import policy
from tests.security.description import description
from tests.security.world import ID_NUMBER, NAME, PHONE, PLACE

INSTITUTION, PRACTITIONER, PERSON = "fuzz-house", "fuzz-me", "fuzz-person"
# Who runs the platform from the inside; nobody can log in as one of them.
_INSIDE = {"operator", "system"}
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Shot:
    """One request that was thought up."""

    method: str
    path: str
    query: dict[str, Any]
    body: Any
    media_type: str | None
    template: str
    permission: str = ""


@dataclass
class Tally:
    """What came of it."""

    shots: int = 0
    statuses: Counter[int] = field(default_factory=Counter[int])
    faults: list[str] = field(default_factory=list[str])
    tell: Callable[[str], None] = lambda _: None
    """Hears of each fault when it happens."""

    def fault(self, said: str) -> None:
        self.faults.append(said)
        self.tell(said)


def roles() -> list[str]:
    """Everybody who may come from outside."""
    return sorted(set(policy.roles()) - _INSIDE)


def sees_everybody(role: str) -> bool:
    """Whether the policy lets the role see who any resident is, unmasked."""
    found = policy.roles()[role]
    return found.mask == "none" and any(where.place == "any" for where in policy.wheres(role, "read").get("Patient", ()))


def shots(number: int, seed: int, ids: Mapping[str, list[str]] | None = None) -> Iterator[Shot]:
    """So many requests, spread over all operations, the same for the same seed; `ids` of what is there."""
    found: list[Any] = list(schemathesis.openapi.from_dict(description(ids)).get_all_operations())
    operations = [one.ok() for one in found]
    order = random.Random(seed)
    order.shuffle(operations)
    each = max(_FEWEST, -(-number // len(operations)))
    made = [shot for operation in operations[: -(-number // each)] for shot in _of(operation, each, seed)]
    # Neighbours go to different roles, whoever takes them in turn.
    order.shuffle(made)
    yield from made[:number]


def _of(operation: Any, number: int, seed: int) -> list[Shot]:
    found: list[Shot] = []
    chance = random.Random(seed)

    @hypothesis.seed(seed)
    @settings(
        max_examples=number + 1, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large])
    @given(operation.as_strategy())
    def collect(case: Any) -> None:
        found.append(Shot(
            case.method, case.formatted_path, _few(_plain(case.query), chance), _plain(case.body), case.media_type, case.path, operation.definition.raw["x-permission"]))

    collect()
    # The first is always the simplest there is, which every other test sends too.
    return found[1:]


def _few(query: dict[str, Any] | None, chance: random.Random) -> dict[str, Any]:
    """At most three questions: one that is wrong hides all others."""
    names = sorted(query or {})
    chosen = chance.sample(names, min(len(names), chance.randrange(4)))
    return {name: (query or {})[name] for name in chosen}


def _plain(value: Any) -> Any:
    """What JSON can say of a made value; schemathesis marks absence with a class of its own."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | bytes) or value is None else None


@cache
def forbidden() -> tuple[bytes, ...]:
    """The resident's particulars as they may stand in an answer."""
    words = (NAME, ID_NUMBER, PHONE, PLACE)
    return tuple(form for word in words for form in {word.encode(), json.dumps(word)[1:-1].encode(), quote(word).encode()})


@asynccontextmanager
async def acting(services: Services, application: ASGIApp, role: str, known: Actor | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """A client that is somebody of a role, or the `known` one: by token at the API, by session on pages."""
    found = policy.roles()[role]
    actor = replace(known, address="192.0.2.50") if known else Actor(
        f"user/{role}", role, INSTITUTION, PRACTITIONER, PERSON if found.kind == "resident" else None,
        account=f"fuzz-{role}", purpose=found.purposes[0] if found.purposes else "care", address="192.0.2.50")
    transport = httpx.ASGITransport(application, raise_app_exceptions=False, client=("192.0.2.50", 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test", follow_redirects=False) as client:
        async def enter() -> None:
            if role != "anonymous":
                client.cookies.clear()
                client.cookies.set(SESSION_COOKIE, await services.entries.issue(actor, kind="session", lasts=3600))
                client.headers["x-fuzz-token"] = await services.entries.issue(actor, kind="token", lasts=3600)
            client.cookies.set(forms.COOKIE, forms.new_secret())

        async def again(answer: httpx.Response) -> None:
            # Whoever has logged himself out by chance comes in again, so that the rest is tried as somebody.
            if answer.status_code == 401 or "logout" in answer.request.url.path:
                await enter()

        client.event_hooks["response"].append(again)
        await enter()
        yield client


def door(services: Services) -> ASGIApp:
    """The platform as it stands on a network: nobody is let in for the place where he is."""
    return build(replace(services, settings=replace(services.settings, access_local_role="", access_network_role="")), {})


async def fire(client: httpx.AsyncClient, role: str, some: Sequence[Shot], tally: Tally) -> None:
    """Send requests as a role and look at every answer."""
    hidden = () if sees_everybody(role) else forbidden()
    for shot in some:
        try:
            request = request_of(client, shot)
        except (httpx.InvalidURL, UnicodeEncodeError, ValueError):
            continue
        answer = await client.send(request)
        tally.shots += 1
        tally.statuses[answer.status_code] += 1
        if answer.status_code >= 500 and answer.status_code not in {501, 503}:
            tally.fault(f"{role}: {answer.status_code} {shot}")
        whole = answer.content + repr(answer.headers.raw).encode()
        if any(word in whole for word in hidden):
            tally.fault(f"{role}: particulars in the answer {answer.status_code} to {shot}")


def request_of(client: httpx.AsyncClient, shot: Shot) -> httpx.Request:
    """The request with the caller's token, or with the token of a form."""
    token = client.headers.get("x-fuzz-token")
    headers = {"accept": "text/html"}
    if shot.path.startswith(("/fhir", "/api/")):
        headers = {"authorization": f"Bearer {token}"} if token else {}
    content: bytes | None = None
    if shot.media_type == "application/x-www-form-urlencoded":
        fields = {name: str(value) for name, value in (shot.body or {}).items()}
        if not shot.path.startswith("/fhir"):
            fields[forms.FIELD] = forms.token_for(str(client.cookies[forms.COOKIE]))
        return client.build_request(shot.method, shot.path, params=_query(shot), data=fields, headers=headers)
    if shot.media_type:
        content = shot.body if isinstance(shot.body, bytes) else str(shot.body).encode() if isinstance(shot.body, str) else json.dumps(shot.body).encode()
        headers["content-type"] = shot.media_type
        if not shot.path.startswith("/fhir"):
            headers[forms.HEADER] = forms.token_for(str(client.cookies[forms.COOKIE]))
    return client.build_request(shot.method, shot.path, params=_query(shot), content=content, headers=headers)


def _query(shot: Shot) -> dict[str, str]:
    return {name: str(value) for name, value in (shot.query or {}).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Round:
    """Who sends: `deal` gives each request to one role in turn, `each` to all roles, `able` to all whom its address lets in.

    only: these roles. known: who somebody of a role is.
    """

    way: Literal["deal", "each", "able"] = "deal"
    only: Sequence[str] = ()
    known: Mapping[str, Actor] = field(default_factory=dict[str, Actor])

    def share(self, role: str, some: Sequence[Shot]) -> Sequence[Shot]:
        """What a role sends."""
        if self.way == "deal":
            names = roles()
            return some[names.index(role) :: len(names)]
        return some if self.way == "each" else [one for one in some if policy.may_enter(role, one.permission)]


async def everybody(services: Services, some: Sequence[Shot], asked: Round | None = None, tally: Tally | None = None) -> Tally:
    """Let all roles send, one after the other."""
    tally, application, asked = tally or Tally(), door(services), asked or Round()
    for role in asked.only or roles():
        async with acting(services, application, role, asked.known.get(role)) as client:
            await fire(client, role, asked.share(role, some), tally)
    return tally
