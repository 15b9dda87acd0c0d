"""Role x resource type x interaction x relation over real HTTP: every cell as the policy says, and as people expect.

The cells are made from the role files; `expectations.csv` was written by hand from the requirements, before them.
"""

from __future__ import annotations

import asyncio
import csv
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from tests.house.house import assert_kept

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.commons.access import Write
from kangyun.commons.access.decisions import policy
from kangyun.commons.access.tests import matrix, smallest

Cell = tuple[str, str, str]
AT_ONCE = 6
IN_A_BATCH = 50
# What a person wrote of a relation, as the world has it.
RELATION = {"care": "encounter", "coverage": "supply"}


@dataclass(frozen=True, slots=True)
class Asker:
    """Clients of all roles, each with a token of its own."""

    http: httpx.AsyncClient
    tokens: dict[str, str]

    async def ask(self, role: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request as a role."""
        token = self.tokens.get(role)
        known = {"authorization": f"Bearer {token}"} if token else {}
        return await self.http.request(method, f"/fhir/{path}", json=body, headers=known | headers)

    async def all(self, role: str, asks: Sequence[Ask]) -> list[Answer]:
        """The answers to several requests: in batches where the role may post one, else one by one."""
        if not policy.may_enter(role, "records.write"):
            return [answer_of(await self.ask(role, ask.method, ask.path, ask.body)) for ask in asks]
        found: list[Answer] = []
        for start in range(0, len(asks), IN_A_BATCH):
            entries = [ask.entry for ask in asks[start : start + IN_A_BATCH]]
            answer = await self.ask(role, "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries})
            assert answer.status_code == 200, answer.text[:500]
            found += [Answer(int(one["response"]["status"][:3]), one.get("resource") or one["response"].get("outcome") or {}) for one in answer.json()["entry"]]
        return found

    async def post_search(self, role: str, form: dict[str, str]) -> httpx.Response:
        """A search over all types as a role, its parameters as a form."""
        token = self.tokens.get(role)
        return await self.http.post("/fhir/_search", data=form, headers={"authorization": f"Bearer {token}"} if token else {})


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a role."""

    method: str
    path: str
    body: dict[str, Any] | None = None

    @property
    def entry(self) -> dict[str, Any]:
        """It as an entry of a batch."""
        made = {"request": {"method": self.method, "url": self.path}}
        return made | ({"resource": self.body} if self.body else {})


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and resource."""

    status: int
    body: dict[str, Any]


def answer_of(response: httpx.Response) -> Answer:
    """An answer that came by itself."""
    return Answer(response.status_code, response.json() if response.content else {})


@pytest.fixture(scope="module")
async def asker(services: Services) -> AsyncIterator[Asker]:
    """The world of the matrix behind a server on a port, and a token for every role."""
    await services.gate.system("test").commit([Write("update", one["resourceType"], one, one["id"]) for one in matrix.world()])
    gate = replace(services, settings=replace(services.settings, access_local_role="", slow_client_seconds=60))
    server = uvicorn.Server(uvicorn.Config(build(gate, {}), port=0, log_config=None, lifespan="off", timeout_keep_alive=120))
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    running = asyncio.create_task(server.serve([listening]))
    tokens = {role: await services.entries.issue(matrix.actor(role), kind="token", lasts=3600) for role in policy.roles() if role != "anonymous"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
        yield Asker(http, tokens)
    server.should_exit = True
    await running


async def each(cells: Iterable[Any], ask: Callable[[Any], Awaitable[list[str]]]) -> list[str]:
    """Ask about all cells, some at once; returns what differs from the policy."""
    queue, found = iter(cells), list[str]()

    async def work() -> None:
        for cell in queue:
            found.extend(await ask(cell))

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return found


def count(capsys: pytest.CaptureFixture[str], words: str, number: int) -> None:
    with capsys.disabled():
        print(f"\n  {words}: {number:,} cells", end="")


# Types asked in every relation; of the others one relation that is allowed and one that is not. A search asks all at once.
WHOLE = ("Observation",)
# Of definitions and catalogues, which no resident is in, a few stand for all where each is a request of its own.
ALIKE = {*policy.groups()["terms"], *policy.groups()["catalogue"]} - {"CodeSystem", "ConceptMap", "Medication", "Questionnaire", "ResearchStudy"}


def asked() -> list[str]:
    """The types that are asked one by one."""
    return [type_ for type_ in smallest.types() if type_ not in ALIKE]


def chosen(role: str, interaction: str, type_: str) -> list[str]:
    """The relations in which a cell is asked by itself."""
    every = matrix.relations(type_)
    if type_ in WHOLE:
        return list(every)
    return list({matrix.may(role, interaction, type_, one): one for one in every}.values())


@cache
def alike(interaction: str) -> list[str]:
    """Of the types that no role treats differently from one another for an interaction, two; all for a read."""
    found: dict[Any, list[str]] = {}
    for type_ in asked():
        said = tuple(policy.wheres(role, interaction).get(type_) for role in policy.roles())
        found.setdefault((said, matrix.relations(type_), type_ in WHOLE), []).append(type_)
    return asked() if interaction == "read" else [type_ for same in found.values() for type_ in same[:2]]


def cells(role: str, interaction: str) -> list[Cell]:
    """The cells of a role and an interaction that are asked one by one."""
    return [(role, type_, one) for type_ in alike(interaction) for one in chosen(role, interaction, type_)]


async def judged(asker: Asker, interaction: str, ask: Callable[[Cell], Ask], done: set[int]) -> int:
    """Ask about the cells of all roles; fails with those that differ from the policy, returns how many there were."""
    async def of_role(role: str) -> list[str]:
        own = cells(role, interaction)
        answers = await asker.all(role, [ask(cell) for cell in own])
        return [one for one in (fault(cell, interaction, answer, done) for cell, answer in zip(own, answers, strict=True)) if one]

    assert_kept(await each(policy.roles(), of_role))
    return sum(len(cells(role, interaction)) for role in policy.roles())


def fault(cell: Cell, interaction: str, answer: Answer, done: set[int]) -> str | None:
    """How an answer differs from the policy; what is refused is refused without a word about the resource."""
    role, type_, relation = cell
    allowed = matrix.may(role, interaction, type_, relation)
    if answer.status in (done if allowed else {401, 403, 404}):
        return None
    return f"{role} {interaction}s {type_} of {relation}: {answer.status} although {'allowed' if allowed else 'not allowed'} {str(answer.body)[:300]}"


async def test_a_search_over_everything_finds_what_the_policy_says(asker: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    names = {matrix.name(type_, one): (type_, one) for type_ in smallest.types() for one in matrix.relations(type_)}

    async def ask(role: str) -> list[str]:
        wanted = {id_ for id_, cell in names.items() if matrix.may(role, "search", *cell)}
        # Whoever is refused at the door is answered before a long body is read.
        some = ",".join(names) if wanted else "Patient-none,Patient-encounter"
        answer = await asker.post_search(role, {"_id": some, "_count": "1000"})
        found = {one["resource"]["id"] for one in answer.json().get("entry", ())} if answer.status_code == 200 else set[str]()
        return [] if found == wanted else [f"{role}: {answer.status_code}, beyond {sorted(found - wanted)}, without {sorted(wanted - found)} {answer.text[:300]}"]

    assert len(names) < 1000
    assert_kept(await each(policy.roles(), ask))
    count(capsys, "search over everything", len(names) * len(policy.roles()))


async def test_a_search_finds_what_the_policy_says_and_counts_no_more(asker: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    async def of_role(role: str) -> list[str]:
        asks = [Ask("GET", f"{type_}?_id={','.join(matrix.name(type_, one) for one in matrix.relations(type_))}&_count=50&_total=accurate") for type_ in asked()]
        answers = await asker.all(role, asks)
        return [one for one in (searched(role, *pair) for pair in zip(asked(), answers, strict=True)) if one]

    def searched(role: str, type_: str, answer: Answer) -> str | None:
        names = {matrix.name(type_, one): one for one in matrix.relations(type_)}
        wanted = {id_ for id_, one in names.items() if matrix.may(role, "search", type_, one)}
        found = {one["resource"]["id"] for one in answer.body.get("entry", ())} if answer.status == 200 else set[str]()
        total = answer.body.get("total") if answer.status == 200 else 0
        if found == wanted and total == len(wanted) and answer.status in {200, 401, 403}:
            return None
        return f"{role} searches {type_}: {answer.status}, {sorted(found)} (total {total}) and not {sorted(wanted)}"

    assert_kept(await each(policy.roles(), of_role))
    count(capsys, "search by type", len(policy.roles()) * sum(len(matrix.relations(type_)) for type_ in asked()))


@pytest.mark.parametrize(("interaction", "path"), [("read", ""), ("history", "/_history")])
async def test_what_is_read_is_what_the_policy_says(asker: Asker, capsys: pytest.CaptureFixture[str], interaction: str, path: str) -> None:
    def ask(cell: Cell) -> Ask:
        return Ask("GET", f"{cell[1]}/{matrix.name(*cell[1:])}{path}")

    count(capsys, interaction, await judged(asker, interaction, ask, {200}))


async def test_by_itself_an_answer_is_as_in_a_batch(asker: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    own = [(role, "Observation", one) for role in policy.roles() for one in matrix.RELATIONS]

    async def ask(cell: Cell) -> list[str]:
        answer = await asker.ask(cell[0], "GET", f"Observation/{matrix.name(*cell[1:])}")
        wrong = fault(cell, "read", answer_of(answer), {200})
        return [wrong] if wrong else []

    assert_kept(await each(own, ask))
    count(capsys, "read by itself", len(own))


async def test_what_is_hidden_looks_like_what_is_absent(asker: Asker) -> None:
    """The same status and words, whether the resource is another's or nobody's, for every role and way to ask."""
    bound = [role for role in policy.roles() if not matrix.may(role, "read", "Observation", "none")]

    async def ask(cell: tuple[str, str]) -> list[str]:
        role, path = cell
        hidden = await asker.ask(role, "GET", path.format("Observation-none"))
        absent = await asker.ask(role, "GET", path.format("never-was"))
        same = hidden.status_code == absent.status_code and hidden.text.replace("Observation-none", "never-was") == absent.text
        return [] if same else [f"{role} {path}: {hidden.status_code} {hidden.text[:200]} / {absent.status_code} {absent.text[:200]}"]

    paths = ("Observation/{}", "Observation/{}/_history", "Observation/{}/_history/1")
    assert_kept(await each([(role, path) for role in bound for path in paths], ask))


async def test_what_is_changed_is_what_the_policy_says(asker: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    def ask(cell: Cell) -> Ask:
        body = matrix.resource(*cell[1:])
        return Ask("PUT", f"{cell[1]}/{body['id']}", body)

    count(capsys, "update", await judged(asker, "update", ask, {200}))


async def test_what_is_made_is_what_the_policy_says(asker: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    def ask(cell: Cell) -> Ask:
        return Ask("POST", cell[1], {name: value for name, value in matrix.resource(*cell[1:]).items() if name != "id"})

    count(capsys, "create", await judged(asker, "create", ask, {201}))


def relating(victim: str) -> dict[str, dict[str, Any]]:
    """Resources that would relate the caller to a resident."""
    house, me, whom = ({"reference": name} for name in (f"Organization/{matrix.HOUSE}", f"Practitioner/{matrix.PRACTITIONER}", f"Patient/{victim}"))
    both = [{"actor": one, "status": "accepted"} for one in (whom, me)]
    made: dict[str, dict[str, Any]] = {
        "Encounter": {"status": "in-progress", "serviceProvider": house}, "EpisodeOfCare": {"status": "active", "managingOrganization": house},
        "CareTeam": {"status": "active", "participant": [{"member": house}]}, "ServiceRequest": {"status": "active", "performer": [house]},
        "Appointment": {"status": "booked", "start": "2026-01-01T08:00:00Z", "end": "2026-01-01T08:10:00Z", "participant": both},
        "Person": {"link": [{"target": {"reference": f"Patient/{one}"}} for one in ("Patient-encounter", "Patient-institution", victim)]},
        "Task": {"status": "requested", "owner": house, "requester": me, "for": whom},
    }
    return {type_: smallest.resource(type_, "x", victim if type_ != "Task" else None) | own for type_, own in made.items()}


async def test_nobody_makes_himself_a_care_relation(asker: Asker, services: Services) -> None:
    """An order, a visit or a team that one writes oneself opens no record that was closed before."""
    bound = [role for role in policy.roles() if not matrix.may(role, "read", "Observation", "none")]
    tries = [(role, type_) for role in bound for type_ in relating("")]
    victims = {cell: f"victim-{number}" for number, cell in enumerate(tries)}
    known = [made for id_ in victims.values() for made in (matrix.resource("Patient", "none", id_), smallest.resource("Observation", id_, id_))]
    await services.gate.system("test").commit([Write("update", one["resourceType"], one, one["id"]) for one in known])

    async def ask(cell: tuple[str, str]) -> list[str]:
        role, type_ = cell
        made = {name: value for name, value in relating(victims[cell])[type_].items() if name != "id"}
        tried = await asker.ask(role, "POST", type_, made)
        # One that may be written, such as the errand of one's own, is turned towards somebody else.
        turned = await asker.ask(role, "PUT", "Task/cause-supply", {**relating(victims[cell])["Task"], "id": "cause-supply"}) if type_ == "Task" else tried
        seen = await asker.ask(role, "GET", f"Observation/{victims[cell]}")
        return [f"{role} by {type_}: {tried.status_code}, {turned.status_code}, then {seen.status_code}"] if seen.status_code == 200 else []

    assert_kept(await each(tries, ask))


async def test_what_is_deleted_is_what_the_policy_says(asker: Asker, services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    # Where deleting is allowed it is another one like it, so that the others keep what they are asked about.
    def id_of(cell: Cell) -> str:
        own = matrix.name(*cell[1:])
        return f"{cell[0].replace('_', '-')}-{own}" if matrix.may(cell[0], "delete", *cell[1:]) else own

    extra = [cell for role in policy.roles() for cell in cells(role, "delete") if matrix.may(role, "delete", *cell[1:])]
    await services.gate.system("test").commit([Write("update", cell[1], matrix.resource(*cell[1:], id_of(cell)), id_of(cell)) for cell in extra])
    count(capsys, "delete", await judged(asker, "delete", lambda cell: Ask("DELETE", f"{cell[1]}/{id_of(cell)}"), {200, 204}))


def expectations() -> list[dict[str, str]]:
    """What a person wrote down before the role files were there."""
    with (Path(__file__).parent / "expectations.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


async def test_it_is_as_a_person_expects(asker: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    async def ask(row: dict[str, str]) -> list[str]:
        role, interaction, type_ = row["role"], row["interaction"], row["type"]
        relation = RELATION.get(row["relation"], row["relation"])
        answer = await _of(asker, role, interaction, type_, relation)
        got = answer.status_code in {200, 201, 204} and (interaction != "search" or bool(answer.json().get("entry")))
        if got == (row["expected"] == "yes") and (got or answer.status_code in {200, 400, 401, 403, 404, 405}):
            return []
        return [f"{role} {interaction} {type_} {relation}: {answer.status_code}, expected {row['expected']}: {row['because']}"]

    rows = expectations()
    assert len(rows) >= 200
    # What deletes comes last, so that the others find what they ask about.
    assert_kept(await each([row for row in rows if row["interaction"] != "delete"], ask))
    assert_kept(await each([row for row in rows if row["interaction"] == "delete"], ask))
    count(capsys, "expected by a person", len(rows))


async def _of(asker: Asker, role: str, interaction: str, type_: str, relation: str) -> httpx.Response:
    id_ = matrix.name(type_, relation)
    if interaction == "search":
        return await asker.ask(role, "GET", type_ if type_ == "AuditEvent" else f"{type_}?_id={id_}")
    if interaction in {"read", "history", "delete"}:
        tail = "/_history" if interaction == "history" else ""
        return await asker.ask(role, "DELETE" if interaction == "delete" else "GET", f"{type_}/{id_}{tail}")
    body = matrix.resource(type_, relation)
    if interaction == "update":
        return await asker.ask(role, "PUT", f"{type_}/{id_}", body)
    return await asker.ask(role, "POST", type_, {name: value for name, value in body.items() if name != "id"})
