"""The review queue over the real application: shown side by side, decided once, remembered, taken back."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base import errors
from kangyun.commons.access import Handle, Write
from kangyun.commons.population.actions.placing import beside
from kangyun.commons.population.decisions.review import pieces, rows
from kangyun.commons.population.model import Arrival
from kangyun.commons.population.queries import identities, placed

errors.register("kangyun.commons.population")

HTML = {"accept": "text/html", "accept-language": "en"}


def somebody(id_: str, name: str, phone: str, line: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient", "id": id_, "name": [{"text": name}], "gender": "female", "birthDate": "1956-03-04",
        "telecom": [{"system": "phone", "value": phone}], "address": [{"text": line}],
    }


@pytest.fixture(scope="module")
def handle(services: Services) -> Handle:
    return services.gate.system("test")


async def pair(handle: Handle, number: int, name: str) -> tuple[str, str]:
    """Two records that nobody can judge without looking: namesakes born on one day who live in one town."""
    ids = (f"review-{number}-a", f"review-{number}-b")
    street = "云州市东城区人民路街道"
    both = [
        somebody(ids[0], name, f"1390001{number:04d}", f"{street}幸福社区{number}号"),
        somebody(ids[1], name, f"1380002{number + 1:04d}", f"{street}和平社区{number}号"),
    ]
    for patient, source in zip(both, ("hospital-a", "hospital-b"), strict=True):
        write = Write("update", "Patient", patient, id=patient["id"], if_match=0)
        await handle.commit([write], beside=beside([Arrival(patient, source, 1)]))
    async with handle.connection() as connection:
        if await placed.pair(connection, *ids) is None:
            pytest.fail("the pair was not proposed for review")
    return ids


async def token(api: httpx.AsyncClient, path: str) -> str:
    page = await api.get(path, headers=HTML)
    assert page.status_code == 200
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    return found[1]


async def test_a_pair_is_shown_decided_and_taken_back(api: httpx.AsyncClient, handle: Handle) -> None:
    one, other = await pair(handle, 11, "欧阳秀兰")
    listed = await api.get("/population/review", headers=HTML)
    href = re.search(rf'href="(/population/review/(?:{one}/{other}|{other}/{one}))"', listed.text)
    assert href
    path = href[1]
    shown = await api.get(path, headers=HTML)
    assert "欧阳秀" in shown.text
    assert "<mark>幸福</mark>" in shown.text
    assert "<mark>和平</mark>" in shown.text
    answer = await api.post(path, data={"csrf": await token(api, path), "verdict": "link"}, headers=HTML)
    assert answer.status_code == 303
    assert set(await identities(handle, one)) == {one, other}
    await api.post(f"{path}/undo", data={"csrf": await token(api, path)}, headers=HTML)
    assert await identities(handle, one) == [one]
    async with handle.connection() as connection:
        found = await placed.pair(connection, one, other)
    assert found is not None
    assert found.state in {"undone", "rejected"}


async def test_whoever_told_of_a_record_is_named_as_people_name_it(api: httpx.AsyncClient, handle: Handle) -> None:
    one, other = await pair(handle, 71, "司徒建华")
    await handle.commit([Write("update", "Organization", {"resourceType": "Organization", "id": "review-place", "name": "松坪镇卫生院"}, "review-place")])
    kept = [await handle.read("Patient", id_) for id_ in (one, other)]
    assert kept[0]
    assert kept[1]
    told = {**kept[0], "managingOrganization": {"reference": "Organization/review-place"}}
    source = {**kept[1], "meta": {**kept[1]["meta"], "source": "urn:kangyun:sender:YZC%200303"}}
    await handle.commit([Write("update", "Patient", node, str(node["id"])) for node in (told, source)])
    async with handle.connection() as connection:
        found = await placed.pair(connection, one, other)
    assert found
    shown = (await api.get(f"/population/review/{found.first}/{found.second}", headers=HTML)).text
    assert "松坪镇卫生院" in shown
    assert "YZC 0303" in shown
    assert "urn:kangyun" not in shown


async def test_different_people_are_remembered(api: httpx.AsyncClient, handle: Handle) -> None:
    one, other = await pair(handle, 52, "诸葛文华")
    async with handle.connection() as connection:
        found = await placed.pair(connection, one, other)
    assert found is not None
    path = f"/population/review/{found.first}/{found.second}"
    csrf = await token(api, path)
    assert (await api.post(path, data={"csrf": csrf, "verdict": "perhaps"}, headers=HTML)).status_code == 422
    await api.post(path, data={"csrf": csrf, "verdict": "reject"}, headers=HTML)
    listed = await api.get("/population/review", headers=HTML)
    assert path not in listed.text
    assert path in (await api.get("/population/review?show=decided", headers=HTML)).text
    patient = await handle.read("Patient", one)
    assert patient is not None
    version = int(patient["meta"]["versionId"]) + 1
    again = {**patient, "maritalStatus": {"text": "widowed"}}
    await handle.commit([Write("update", "Patient", again, id=one)], beside=beside([Arrival(again, "hospital-a", version)]))
    assert path not in (await api.get("/population/review", headers=HTML)).text
    assert await identities(handle, one) == [one]


async def test_a_pair_that_is_not_there_is_404(api: httpx.AsyncClient) -> None:
    assert (await api.get("/population/review/x/y", headers=HTML)).status_code == 404


def test_what_differs_is_marked_letter_by_letter() -> None:
    assert [(one.text, one.same) for one in pieces("王晓明", ["王小明"])] == [("王", True), ("晓", False), ("明", True)]
    assert [(one.text, one.same) for one in pieces("13900000001", [])] == [("13900000001", False)]
    found = rows(somebody("a", "王", "1", "x"), {"resourceType": "Patient", "birthDate": "1956-04-03"}, None)
    assert [row.field for row in found] == ["name", "birth", "sex", "phone", "address"]
