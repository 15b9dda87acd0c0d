"""Numbers and keepers of Patients over FHIR: a desk corrects what its own institution keeps, and takes nobody's record to itself."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.security import fuzzing

from kangyun.app.services import Services
from kangyun.commons.access import Actor, Write
from kangyun.commons.access.tests.doors import ID_NUMBERS

HOUSE, WARD, OTHER = "reg-house", "reg-ward", "reg-other"
NUMBER, CORRECTED = "990101195803040246", "990121195603040423"


def patient(id_: str, keeper: str, number: str = NUMBER, phone: str = "") -> dict[str, Any]:
    """A Patient kept by an institution; '' by none."""
    return {
        "resourceType": "Patient", "id": id_, "name": [{"text": "周秀兰"}], "birthDate": "1958-03-04", "identifier": [{"system": ID_NUMBERS, "value": number}],
        **({"managingOrganization": {"reference": f"Organization/{keeper}"}} if keeper else {}), **({"telecom": [{"system": "phone", "value": phone}]} if phone else {}),
    }


@pytest.fixture
async def kept(services: Services) -> None:
    """The institutions, and a Patient of each."""
    places = [(HOUSE, {}), (WARD, {"partOf": {"reference": f"Organization/{HOUSE}"}}), (OTHER, {})]
    made: list[dict[str, Any]] = [{"resourceType": "Organization", "id": id_, "name": id_, **more} for id_, more in places]
    made += [patient("reg-mine", HOUSE), patient("reg-theirs", OTHER), patient("reg-nobodys", "")]
    await services.gate.system("test").commit([Write("update", one["resourceType"], one, one["id"]) for one in made])


async def put(services: Services, role: str, resource: dict[str, Any], address: str = "") -> httpx.Response:
    """The answer to somebody of the house who writes a Patient."""
    actor = Actor(f"user/reg-{role}", role, HOUSE, "reg-me", account=f"reg-{role}", purpose="care", address="192.0.2.7")
    async with fuzzing.acting(services, fuzzing.door(services), role, actor) as client:
        headers = {"authorization": f"Bearer {client.headers['x-fuzz-token']}"}
        return await client.put(f"/fhir/{address or 'Patient/' + resource['id']}", json=resource, headers=headers)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("role", ["clerk", "card_desk"])
async def test_a_desk_takes_no_record_to_its_own_institution(role: str, services: Services) -> None:
    for resource in (patient("reg-theirs", HOUSE), patient("reg-nobodys", HOUSE), patient("reg-mine", OTHER), patient("reg-theirs", "")):
        answer = await put(services, role, resource)
        assert answer.status_code == 403, resource
    # The same through a condition that finds it.
    assert (await put(services, role, patient("reg-theirs", HOUSE), f"Patient?identifier={ID_NUMBERS}|{NUMBER}&organization={OTHER}")).status_code == 403
    found = await services.gate.system("test").read("Patient", "reg-theirs")
    assert found
    assert found["managingOrganization"]["reference"] == f"Organization/{OTHER}"
    assert (await put(services, role, patient("reg-mine", WARD))).status_code == 200


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("role", ["clerk", "card_desk"])
async def test_a_desk_corrects_the_numbers_of_its_own_and_the_telephone_of_anybody(role: str, services: Services) -> None:
    assert (await put(services, role, patient("reg-theirs", OTHER, CORRECTED))).status_code == 403
    assert (await put(services, role, patient("reg-theirs", OTHER, phone="13800001958"))).status_code == 200
    assert (await put(services, role, patient("reg-mine", HOUSE, CORRECTED))).status_code == 200


@pytest.mark.usefixtures("kept")
async def test_a_doctor_of_a_hospital_corrects_no_numbers(services: Services) -> None:
    assert (await put(services, "hospital_doctor", patient("reg-mine", HOUSE, CORRECTED))).status_code == 403
    assert (await put(services, "hospital_doctor", patient("reg-mine", HOUSE, phone="13800001958"))).status_code == 200


@pytest.mark.usefixtures("kept")
async def test_a_batch_is_no_way_around(services: Services) -> None:
    actor = Actor("user/reg-clerk", "clerk", HOUSE, account="reg-clerk", purpose="care", address="192.0.2.7")
    async with fuzzing.acting(services, fuzzing.door(services), "clerk", actor) as client:
        headers = {"authorization": f"Bearer {client.headers['x-fuzz-token']}"}
        for kind in ("batch", "transaction"):
            entry = {"resource": patient("reg-theirs", HOUSE), "request": {"method": "PUT", "url": "Patient/reg-theirs"}}
            answer = await client.post("/fhir", json={"resourceType": "Bundle", "type": kind, "entry": [entry]}, headers=headers)
            assert "403" in answer.text or answer.status_code == 403, answer.text
    found = await services.gate.system("test").read("Patient", "reg-theirs")
    assert found
    assert found["managingOrganization"]["reference"] == f"Organization/{OTHER}"
