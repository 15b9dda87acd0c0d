"""Every `$operation` as every role: what is hidden is answered as what was never there, and nobody finds a 500."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from kangyun.app.services import Services, open_services
from kangyun.base.settings import Settings
from kangyun.base.web import forms
from kangyun.commons.access import Actor
from kangyun.commons.access.decisions import policy
from tests.security import fuzzing, hospital, operations
from tests.security.operations import Bag, Case
from tests.security.test_others import told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Prescriptions, orders, visits and parcels in different states.
STOPS = ("ask", "begin", "prescribe, sign", "review: claim", "choose", "lock, dispense")
_BAGS = 4
_MOST_FAULTS = 20
# Who settles for the whole city sees every order without whose it is; the pharmacists' pool is one for the city.
FOR_ALL = {("finance", "Invoice")}
_POOLED = ("signed", "claimed", "confirming")
# What answers with what it finds; that it found nothing is no refusal.
_EMPTY = ("$everything", "$match", "$validate")
_INSTEAD = "00000000-0000-4000-8000-123456789012"


@dataclass
class Walk:
    """Asks, as somebody of a role who has no relation to anybody."""

    services: Services
    http: httpx.AsyncClient
    asked: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])
    tokens: dict[str, str] = field(default_factory=dict[str, str])

    def stranger(self, role: str) -> Actor:
        """Somebody new, whom nobody in the hospital has to do with: how often one person may ask is counted by account."""
        found, name = policy.roles()[role], f"walk-{role}-{len(self.tokens)}-{self.asked['all']}"
        person = "nobodys-person" if found.kind == "resident" else None
        return Actor(f"user/{name}", role, "nobodys-house", "nobodys-doctor", person, account=name, purpose=(found.purposes or ("care",))[0])

    async def token(self, role: str) -> str:
        """What a stranger shows."""
        return await self.services.entries.issue(self.stranger(role), kind="token", lasts=3600)

    async def ask(self, role: str, case: Case, bag: Bag) -> httpx.Response:
        """One request; as somebody new where the one before has asked too often."""
        answer = await self._once(role, case, bag)
        if answer.status_code == 429 and role in self.tokens:
            del self.tokens[role]
            answer = await self._once(role, case, bag)
        if answer.status_code in {429, *range(500, 600)} - {501}:
            self.fault(f"{answer.status_code}: {role} {case.method} {case.path}")
        return answer

    async def _once(self, role: str, case: Case, bag: Bag) -> httpx.Response:
        if role != "anonymous" and role not in self.tokens:
            self.tokens[role] = await self.token(role)
        headers = {"authorization": f"Bearer {self.tokens[role]}"} if role in self.tokens else {}
        self.asked["all"] += 1
        return await self.http.request(case.method, case.address(bag), headers=headers, json=operations.body(case, bag) if case.method == "POST" else None)

    def fault(self, said: str) -> None:
        """Remember what does not hold."""
        if len(self.faults) < _MOST_FAULTS and said not in self.faults:
            self.faults.append(said)

    async def refused(self, role: str, case: Case, bag: Bag) -> None:
        """Whoever may not enter is refused at the door."""
        answer = await self.ask(role, case, bag)
        if answer.status_code not in {401, 403}:
            self.fault(f"{answer.status_code} for a role without {case.route.permission}: {role} {case.path}")

    async def compared(self, role: str, case: Case, bag: Bag) -> None:
        """The same words about what is hidden and what was never there."""
        other = operations.absent(bag, case.secret)
        there, never = [await self.ask(role, case, one) for one in (bag, other)]
        said = [operations.plain(one.status_code, one.text, bag, other) for one in (there, never)]
        self.asked["compared"] += 1
        if said[0] != said[1]:
            self.fault(f"{role} {case.method} {case.path} ({case.secret}): {said[0][:150]} / {said[1][:150]}")
        elif there.status_code < 300 and not any(case.path.split("?")[0].endswith(one) for one in _EMPTY) and not case.path.endswith("$claim"):
            self.fault(f"{role} {case.method} {case.path} ({case.secret}): done, {said[0][:200]}")


async def bags(services: Services, found: hospital.Found) -> list[dict[str, str]]:
    """What lies in the hospital, some of each kind together."""
    people = [await services.gate.system("walk").read("Patient", one) for one in found.ids["Patient"]]
    numbered = [(one, number) for one in people if one for number in one.get("identifier", ()) if number["system"].endswith("1.1.3")]
    kinds = {**{name: found.ids.get(name, []) for name in (*hospital.TYPES_KEPT, "sittings", "schedules", "numbers")}, "Invoice": found.ids["orders"],
             "number": found.ids["prescriptions"], "SupplyDelivery": found.ids["parcels"], "Claim": [f"clm-{one}" for one in found.ids["settlements"]]}
    async with services.database.connection() as connection:
        pooled = {row[0] for row in await connection.fetch("SELECT number FROM drugs_prescription WHERE state = ANY($1)", _POOLED)}
    assert pooled
    assert pooled != set(kinds["number"])
    assert numbered
    assert kinds["number"]
    assert kinds["Encounter"]
    made: list[dict[str, str]] = []
    for place in range(_BAGS):
        one = {name: ids[place % len(ids)] if ids else _INSTEAD for name, ids in kinds.items()}
        patient, number = numbered[place % len(numbered)]
        one |= {"Patient": str(patient["id"]), "id_number": number["value"], "name": patient["name"][0]["text"]}
        one["pooled"] = "yes" if one["number"] in pooled else ""
        one |= {"whole": "1", "refund": "1"}
        made.append(one | {"sitting": one["sittings"], "slot": one["numbers"], "Schedule": one["schedules"]})
    return made


async def _each(walk: Walk, role: str, case: Case, kept: list[dict[str, str]]) -> None:
    if not policy.may_enter(role, case.route.permission):
        await walk.refused(role, case, kept[0])
    elif not case.secret:
        await walk.ask(role, case, kept[0])
    elif operations.hidden_from(role, case) and (role, case.secret) not in FOR_ALL:
        for bag in kept if case.route.permission != "drugs.review" else [one for one in kept if not one["pooled"]]:
            await walk.compared(role, case, bag)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, hospital.Found]]:
    """A hospital in which journeys were played."""
    with hospital.played(tmp_path_factory.mktemp("city"), STOPS) as found:
        yield found


def walked(city: tuple[Settings, hospital.Found], walk: Callable[[Walk, list[dict[str, str]]], Awaitable[None]]) -> Walk:
    """What came of a walk."""
    async def run() -> Walk:
        services = await open_services(city[0])
        try:
            transport = httpx.ASGITransport(fuzzing.door(services), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test") as http:
                made = Walk(services, http)
                await walk(made, await bags(services, city[1]))
                return made
        finally:
            await services.close()
            await services.database.stop_server(always=True)

    return asyncio.run(run())


def test_hidden_and_absent_look_the_same_to_every_operation(city: tuple[Settings, hospital.Found], capsys: pytest.CaptureFixture[str]) -> None:
    cases = list(operations.cases())

    async def everybody(walk: Walk, kept: list[dict[str, str]]) -> None:
        for role in fuzzing.roles():
            for case in cases:
                await _each(walk, role, case, kept)

    walk = walked(city, everybody)
    with capsys.disabled():
        print(f"\n  {len(cases)} cases as {len(fuzzing.roles())} roles: {walk.asked['all']:,} requests, {walk.asked['compared']:,} compared", end="")
    assert walk.faults == []
    assert walk.asked["compared"] > 1000


_SPREAD = "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'resident' AND table_name !~ '^(audit|access_entry)' AND table_name IN (SELECT tablename FROM pg_tables)"


async def standing(services: Services, kept: list[dict[str, str]]) -> dict[str, str]:
    """What is kept of the residents, table by table."""
    async with services.database.connection() as connection:
        residents = [row[0] for row in await connection.fetch("SELECT DISTINCT resident FROM resource WHERE id = ANY($1)", [one["Patient"] for one in kept])]
        return {
            name: str(await connection.fetchval(f"SELECT md5(string_agg(x::text, '' ORDER BY x::text)) FROM {name} x WHERE resident = ANY($1)", residents))
            for (name,) in await connection.fetch(_SPREAD)}


async def _posted(walk: Walk, role: str, client: httpx.AsyncClient, case: Case, bag: Bag) -> None:
    """Each form, about something hidden and about nothing at all."""
    for act in operations.acts(case):
        said: list[str] = []
        other = operations.absent(bag, case.secret) if case.secret else bag
        ids = sorted({value for one in (bag, other) for value in one.values() if len(value) > 3}, key=len, reverse=True)
        for one in (bag, other):
            data = {**operations.fields(case, one, act), forms.FIELD: forms.token_for(str(client.cookies[forms.COOKIE]))}
            answer = await client.post(case.address(one), data=data, headers={"accept": "text/html"})
            walk.asked["all"] += 1
            said.append(operations.plain(answer.status_code, told(answer, *ids) + answer.headers.get("location", ""), bag, other))
            if answer.status_code >= 500:
                walk.fault(f"{answer.status_code}: {role} {case.path} {act}")
        if case.secret:
            walk.asked["compared"] += 1
            if said[0] != said[1]:
                walk.fault(f"{role} {case.path} {act}: {_apart(*said)}")


def _apart(one: str, other: str) -> str:
    place = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{one[:3]} {one[max(0, place - 80) : place + 120]!r} / {other[:3]} {other[max(0, place - 80) : place + 120]!r}"


def test_hidden_and_absent_look_the_same_to_every_form_and_nothing_changes(city: tuple[Settings, hospital.Found], capsys: pytest.CaptureFixture[str]) -> None:
    cases = list(operations.forms())

    async def everybody(walk: Walk, kept: list[dict[str, str]]) -> None:
        before = await standing(walk.services, kept)
        for role in fuzzing.roles():
            async with fuzzing.acting(walk.services, fuzzing.door(walk.services), role, walk.stranger(role) if role != "anonymous" else None) as client:
                for case in cases:
                    if not policy.may_enter(role, case.route.permission) or (case.secret and (not operations.hidden_from(role, case) or (role, case.secret) in FOR_ALL)):
                        continue
                    for bag in kept if case.secret else kept[:1]:
                        if not (case.route.permission == "drugs.review" and bag["pooled"]):
                            await _posted(walk, role, client, case, bag)
            after = await standing(walk.services, kept)
            for name in before:
                if before[name] != after[name]:
                    walk.fault(f"{role} has changed {name}")
            before = after

    walk = walked(city, everybody)
    with capsys.disabled():
        print(f"\n  {len(cases)} forms as {len(fuzzing.roles())} roles: {walk.asked['all']:,} requests, {walk.asked['compared']:,} compared", end="")
    assert walk.faults == []
    assert walk.asked["compared"] > 300
