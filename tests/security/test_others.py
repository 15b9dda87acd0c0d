"""Addresses of other people's records: as no role is a number in an address a key, and hidden looks like absent."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.web import route_table
from tests.security import fuzzing
from tests.security.world import World, address, pages

ROLES = [role for role in fuzzing.roles() if not fuzzing.sees_everybody(role)]
READ = [entry for entry in pages() if "GET" in (entry.methods or ()) and "{" in entry.path and "static" not in entry.path]
OPENED = [entry for entry in pages() if "GET" in (entry.methods or ()) and "{" not in entry.path]
WRITTEN = [entry for entry in pages() if "POST" in (entry.methods or ())]
BROWSER = {"accept": "text/html"}


def told(answer: httpx.Response, *ids: str) -> str:
    """An answer without what differs from request to request: numbers to quote, tokens, and the ids that were asked for."""
    text = answer.text
    for one in ids:
        text = text.replace(one, "")
    return f"{answer.status_code} " + re.sub(r"[0-9a-f]{64}|\d{8}", "", text)


def leaks(answer: httpx.Response) -> list[bytes]:
    whole = answer.content + repr(answer.headers.raw).encode()
    return [word for word in fuzzing.forbidden() if word in whole]


@pytest.fixture(scope="module")
def application(services: Services) -> Any:
    return fuzzing.door(services)


@pytest.mark.parametrize("role", ROLES)
async def test_no_page_opens_another_ones_record(role: str, services: Services, application: Any, world: World) -> None:
    async with fuzzing.acting(services, application, role) as client:
        for entry in READ:
            answer = await client.get(address(entry, world), headers=BROWSER)
            assert leaks(answer) == [], entry.path
            assert answer.status_code < 500, entry.path
            if "marked" in address(entry, world):
                absent = await client.get(address(entry, world).replace("marked", "absent"), headers=BROWSER)
                assert told(answer, "marked") == told(absent, "absent"), entry.path
        for entry in OPENED:
            assert leaks(await client.get(entry.path, params={"patient": "marked", "person": "marked"}, headers=BROWSER)) == [], entry.path


@pytest.mark.parametrize("role", ROLES)
async def test_no_form_takes_another_ones_number_or_a_role(role: str, services: Services, application: Any, world: World) -> None:
    from kangyun.base.web import forms

    async with fuzzing.acting(services, application, role) as client:
        before = (await client.get("/metrics", headers=BROWSER)).status_code
        for entry in WRITTEN:
            if "logout" in entry.path:
                continue
            extra = {"role": "operator", "person": "marked", "patient": "marked", "id": "marked", "account": "local", "institution": "*", "scopes": "system/*.cruds"}
            fields = {**extra, forms.FIELD: forms.token_for(str(client.cookies[forms.COOKIE]))}
            answer = await client.post(address(entry, world), data=fields, headers=BROWSER)
            assert answer.status_code < 500, entry.path
            assert leaks(answer) == [], entry.path
        # Whatever was in those forms, the caller is who he was.
        assert (await client.get("/metrics", headers=BROWSER)).status_code == before
        assert leaks(await client.get("/clinician/residents/marked", headers=BROWSER)) == []


@pytest.mark.parametrize("role", ROLES)
async def test_the_api_tells_nobody_who_is_there(role: str, services: Services, application: Any, world: World) -> None:
    del world
    async with fuzzing.acting(services, application, role) as client:
        token = client.headers.get("x-fuzz-token")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        for there, absent in (
            ("Patient/marked", "Patient/absent"), ("Observation/marked-pressure", "Observation/absent-pressure"), ("Patient/marked/_history", "Patient/absent/_history"),
            ("Patient/marked/_history/1", "Patient/absent/_history/1"), ("Patient/marked/$everything", "Patient/absent/$everything"),
            ("Observation?subject=Patient/marked&_summary=count", "Observation?subject=Patient/absent&_summary=count"),
            ("Observation?_id=marked-pressure&_include=*", "Observation?_id=absent-pressure&_include=*"),
            ("Patient?_id=marked&_revinclude=*", "Patient?_id=absent&_revinclude=*"), ("Patient/marked/$summary", "Patient/absent/$summary"),
            (f"Patient?identifier={fuzzing.ID_NUMBER}&_summary=count", "Patient?identifier=990121195603040490&_summary=count"),
            (f"Observation?subject:Patient.identifier={fuzzing.ID_NUMBER}&_summary=count", "Observation?subject:Patient.identifier=990121195603040490&_summary=count"),
            ("Patient?_has:Observation:subject:code=8480-6&_id=marked&_summary=count", "Patient?_has:Observation:subject:code=8480-6&_id=absent&_summary=count"),
        ):
            one, other = await client.get(f"/fhir/{there}", headers=headers), await client.get(f"/fhir/{absent}", headers=headers)
            masked = role == "public_health" and there.startswith("Patient")
            if not masked:
                words = ("marked", "absent", fuzzing.ID_NUMBER, "990121195603040490")
                assert _plain(told(one, *words)) == _plain(told(other, *words)), there
            if "identifier" not in there:
                assert leaks(one) == [], there


def _plain(text: str) -> str:
    """Without moments and the numbers of bundles."""
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z?|[0-9a-f]{8}-[0-9a-f-]{27}", "", text)


def test_every_address_with_a_number_is_tried() -> None:
    tried = {entry.path for entry in READ} | {entry.path for entry in WRITTEN}
    left = {entry.path for entry in route_table() if "{" in entry.path and not entry.path.startswith(("/fhir", "/static")) and ".api" not in entry.endpoint.__module__}
    assert left <= tried
