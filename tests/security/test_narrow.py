"""Tokens that are over, or of few scopes, at every `$operation`: who may see everybody sees no more by an app than its scopes say."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.commons.access import Actor
from kangyun.commons.access.decisions import policy
from tests.security import fuzzing, operations
from tests.security.operations import Case
from tests.security.world import ID_NUMBER, NAME, World

ALL = ("data_steward", "integration", "clerk", "card_desk")
SCOPES = ("user/Observation.rs", "system/Observation.rs", "patient/Observation.rs", "launch", "openid", "user/Patient.c", "system/Organization.rs")
BAG = {
    "Patient": "marked", "id_number": ID_NUMBER, "name": NAME, "Encounter": "1", "Appointment": "1", "Invoice": "1", "Task": "1", "SupplyDelivery": "1", "Claim": "clm-1", "number": "1",
    "Person": "1", "Schedule": "1", "HealthcareService": "1", "sitting": "1", "slot": "1", "Organization": "1", "Practitioner": "1",
}  # fmt: skip
CASES = list(operations.cases())


async def token(services: Services, role: str, scopes: str, lasts: int = 600) -> dict[str, str]:
    """What somebody of a role shows, by an app."""
    actor = Actor(f"user/narrow-{role}", role, "narrow-house", account=f"narrow-{role}-{scopes}", purpose=policy.roles()[role].purposes[0], scopes=scopes)
    return {"authorization": f"Bearer {await services.entries.issue(actor, kind='token', lasts=lasts)}"}


@pytest.fixture(scope="module")
async def http(services: Services, world: World) -> Any:
    del world
    async with httpx.AsyncClient(transport=httpx.ASGITransport(fuzzing.door(services), raise_app_exceptions=False), base_url="http://kangyun.test") as client:
        yield client


async def ask(http: httpx.AsyncClient, case: Case, headers: dict[str, str]) -> httpx.Response:
    return await http.request(case.method, case.address(BAG), headers=headers, json=operations.body(case, BAG) if case.method == "POST" else None)


def told(answer: httpx.Response) -> list[bytes]:
    """The resident's particulars in an answer; the number that was asked for stands in the address of a Bundle."""
    return [word for word in fuzzing.forbidden() if word in answer.content.replace(ID_NUMBER.encode(), b"")]


@pytest.mark.parametrize("role", ALL)
async def test_an_app_of_few_scopes_learns_nothing_of_anybody_by_an_operation(role: str, services: Services, http: httpx.AsyncClient) -> None:
    for scopes in SCOPES:
        shown = await token(services, role, scopes)
        for case in CASES:
            answer = await ask(http, case, shown)
            if answer.status_code == 429:
                continue
            assert answer.status_code < 500, (scopes, case.path)
            assert told(answer) == [], (scopes, case.path, answer.text[:300])


async def test_without_the_scope_to_search_nobody_is_found_by_likeness_or_number(services: Services, http: httpx.AsyncClient) -> None:
    matching = [case for case in CASES if case.path.split("?")[0].endswith(("$match", "$ihe-pix"))]
    assert len(matching) == 2
    for scopes, may in (("system/Patient.r", False), ("system/Patient.c", False), ("system/Observation.rs", False), ("system/Patient.rs system/Person.rs system/NamingSystem.rs", True)):
        shown = await token(services, "integration", scopes)
        for case in matching:
            answer = await ask(http, case, shown)
            assert (answer.status_code == 403) != may, (scopes, case.path, answer.text[:300])


async def test_a_token_that_is_over_opens_no_operation(services: Services, http: httpx.AsyncClient) -> None:
    over = await token(services, "data_steward", "user/*.cruds", -1)
    for case in CASES:
        for headers in (over, {"authorization": "Bearer nonsense"}, {"authorization": "Bearer "}, {}):
            assert (await ask(http, case, headers)).status_code == 401, case.path
