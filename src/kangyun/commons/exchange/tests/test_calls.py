from __future__ import annotations

from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import sealing


def bundle(kind: str, *resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    entries = [{"resource": one, "request": {"method": "POST", "url": one.get("resourceType", "Patient")}} for one in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries, **more}


GOOD = {"resourceType": "Patient", "gender": "female", "birthDate": "1956-03-04", "name": [{"text": "周秀兰"}]}
BAD = {"resourceType": "Patient", "birthDate": "never"}


async def noted(services: Services, number: int) -> list[queries.Listed]:
    """The newest messages, once there are so many."""
    for _ in range(2000):
        async with services.database.connection() as connection:
            found = await queries.latest(connection)
        if len(found) >= number:
            return found
    raise AssertionError("the bundles were not noted")


@pytest.fixture(autouse=True)
async def _empty(services: Services) -> None:
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE raw_message")


async def test_a_bundle_appears_among_the_messages_with_its_counts_and_its_resident(api: httpx.AsyncClient, services: Services):
    answer = await api.post("/fhir", json=bundle("transaction", GOOD, {"resourceType": "Organization", "name": "X"}))
    assert answer.status_code == 200
    [one] = await noted(services, 1)
    assert (one.form, one.kind, one.state, one.entries, one.sender) == ("fhir", "Bundle^transaction", "stored", 2, "fhir:local")
    assert one.patient
    assert one.patient in answer.text
    async with services.database.connection() as connection:
        kept = await queries.one(connection, one.id)
    assert kept is not None
    assert kept.body is not None
    assert "周秀兰".encode() not in kept.body
    assert "周秀兰" in sealing.opened(services.keys, kept.body, kept.sealed, kept.content_hash).decode()


@pytest.mark.parametrize(("fault", "path"), [({"birthDate": "2126-01-01"}, "birthDate"), ({"telecom": []}, "telecom")])
async def test_a_birth_to_come_and_an_empty_list_wait_in_quarantine_with_their_path(
    api: httpx.AsyncClient, services: Services, fault: dict[str, Any], path: str
):
    answer = await api.post("/fhir", json=bundle("transaction", GOOD | fault, meta={"source": "urn:kangyun:sender:H7"}))
    assert answer.status_code == 422
    [one] = await noted(services, 1)
    assert one.reason is not None
    assert (one.state, one.sender, one.reason.place) == ("quarantined", "H7", f"Bundle.entry[0].resource.{path}")


async def test_a_refused_bundle_waits_in_quarantine_with_the_path_and_both_languages(api: httpx.AsyncClient, services: Services):
    for _ in range(2):
        answer = await api.post("/fhir", json=bundle("transaction", GOOD, BAD, meta={"source": "urn:kangyun:sender:H7"}))
        assert answer.status_code in {400, 422}
    [one] = await noted(services, 1)
    assert (one.state, one.sender) == ("quarantined", "H7")
    assert one.reason is not None
    assert one.reason.place.startswith("Bundle.entry[1]")
    assert any("\u4e00" <= sign <= "\u9fff" for sign in one.reason.params["text"])
    assert one.reason.params["text_en"].isascii()


async def test_a_batch_that_was_stored_in_part_says_so(api: httpx.AsyncClient, services: Services):
    assert (await api.post("/fhir", json=bundle("batch", GOOD, BAD))).status_code == 200
    [one] = await noted(services, 1)
    assert one.state == "stored"
    assert one.reason is not None
    assert one.reason.params == {"refused": "1", "all": "2"}


async def test_single_creates_are_not_messages(api: httpx.AsyncClient, services: Services):
    assert (await api.post("/fhir/Patient", json=GOOD)).status_code == 201
    await api.post("/fhir", json=bundle("transaction", GOOD))
    assert len(await noted(services, 1)) == 1
