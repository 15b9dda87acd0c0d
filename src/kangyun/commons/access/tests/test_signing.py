"""Signatures: made with one's own keys over exact content, verified by whoever may read, refused and found out when moved or changed."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base.errors import Problem
from kangyun.base.keys import FileKeys
from kangyun.base.sealing import Way, reseal
from kangyun.commons.access import (
    Actor,
    Content,
    Handle,
    Transaction,
    Write,
    end_keys,
    sign,
    verdicts,
    verify_signature,
)
from kangyun.commons.access.decisions.signing import attached

DOCTOR = Actor("user/doctor", "hospital_doctor", institution="hospital", practitioner="dr-wang", account="doctor")
OTHER = Actor("user/other", "hospital_doctor", institution="hospital", practitioner="dr-li", account="other")


def order(id_: str, patient: str = "p1", tablets: int = 14) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest", "id": id_, "status": "active", "intent": "order", "subject": {"reference": f"Patient/{patient}"},
        "medicationCodeableConcept": {"text": "苯磺酸氨氯地平片"}, "dispenseRequest": {"quantity": {"value": tablets, "unit": "片"}},
    }


@pytest.fixture(scope="module")
async def system(services: Services) -> Handle:
    handle = services.gate.system("tests")
    await handle.commit([
        Write("update", "Patient", {"resourceType": "Patient", "id": "p1", "managingOrganization": {"reference": "Organization/hospital"}}, "p1"),
        Write("update", "Practitioner", {"resourceType": "Practitioner", "id": "dr-wang", "name": [{"text": "王医生"}]}, "dr-wang"),
        Write("update", "Encounter", {
            "resourceType": "Encounter", "id": "e1", "status": "in-progress", "class": {"code": "AMB"}, "subject": {"reference": "Patient/p1"},
            "serviceProvider": {"reference": "Organization/hospital"}, "participant": [{"individual": {"reference": "Practitioner/dr-wang"}}]}, "e1"),
    ])
    return handle


async def signed(system: Handle, *resources: dict[str, Any], actor: Actor = DOCTOR, purpose: str = "author") -> str:
    """Write resources and their signature together; the id of the Provenance."""
    async def beside(session: Transaction) -> Sequence[Write]:
        return [await sign(session.connection, actor, [Content(one) for one in resources], purpose)]

    written = await system.commit([Write("update", one["resourceType"], one, one["id"], if_match=0) for one in resources], beside=beside)
    return next(one.id for one in written if one.type == "Provenance")


def fresh() -> str:
    return uuid4().hex


async def test_what_was_signed_is_verified_later_by_whoever_may_read_it(system: Handle, services: Services, api: httpx.AsyncClient) -> None:
    one, other = fresh(), fresh()
    await signed(system, order(one), order(other, tablets=7))
    told = (await api.post(f"/fhir/MedicationRequest/{other}/$verify-signature")).json()
    assert told["parameter"][0] == {"name": "result", "valueBoolean": True}
    [part] = [entry["part"] for entry in told["parameter"] if entry["name"] == "signature"]
    assert [entry["valueCode"] for entry in part if entry["name"] == "algorithm"] == ["ES256", "SM2"]
    assert next(entry for entry in part if entry["name"] == "who")["valueReference"]["reference"] == "Practitioner/dr-wang"
    page = await api.get(f"/signatures/MedicationRequest/{one}", headers={"accept": "text/html", "accept-language": "zh"})
    assert "王医生" in page.text
    assert "签名有效" in page.text
    with pytest.raises(Problem) as stranger:
        await verify_signature(services.gate.open(Actor("user/x", "hospital_doctor", institution="elsewhere", practitioner="dr-x")), "MedicationRequest", one)
    assert stranger.value.status == 404


async def test_it_is_kept_as_fhir_provenance_of_exact_versions(system: Handle) -> None:
    one = fresh()
    kept = await system.read("Provenance", await signed(system, order(one), purpose="reviewer"))
    assert kept is not None
    assert kept["target"] == [{"reference": f"MedicationRequest/{one}/_history/1"}]
    assert [entry["sigFormat"] for entry in kept["signature"]] == ["application/jose"] * 2
    heads = [json.loads(base64.urlsafe_b64decode(base64.b64decode(entry["data"]).split(b".")[0] + b"==")) for entry in kept["signature"]]
    assert [head["alg"] for head in heads] == ["ES256", "SM2"]
    assert {head["purpose"] for head in heads} == {"reviewer"}


async def test_who_is_no_practitioner_signs_nothing(system: Handle) -> None:
    with pytest.raises(Problem) as refused:
        await signed(system, order(fresh()), actor=Actor("local", "operator"))
    assert (refused.value.status, refused.value.issues[0].key) == (403, "access.signs-nothing")


async def test_a_change_after_the_signature_is_refused_to_everybody(system: Handle, services: Services, api: httpx.AsyncClient) -> None:
    one = fresh()
    provenance = await signed(system, order(one))
    changed = order(one, tablets=140)
    for answer in (
        await api.put(f"/fhir/MedicationRequest/{one}", json=changed), await api.delete(f"/fhir/MedicationRequest/{one}"),
        await api.delete(f"/fhir/Provenance/{provenance}"),
        await api.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": [
            {"resource": changed, "request": {"method": "PUT", "url": f"MedicationRequest/{one}"}}]}),
    ):
        assert answer.status_code == 409, answer.text
        assert "access.signed" in answer.text
    with pytest.raises(Problem) as doctor:
        await services.gate.open(DOCTOR).commit([Write("update", "MedicationRequest", changed, one)])
    assert doctor.value.status == 409
    assert (await verify_signature(system, "MedicationRequest", one))[0].holds


async def test_a_state_moves_on_and_the_signature_holds(system: Handle) -> None:
    one = fresh()
    await signed(system, order(one))
    await system.commit([Write("update", "MedicationRequest", order(one) | {"status": "completed"}, one)])
    assert (await verify_signature(system, "MedicationRequest", one))[0].holds


async def test_a_change_behind_the_gate_is_detected(system: Handle, services: Services) -> None:
    one, two = fresh(), fresh()
    await signed(system, order(one), order(two))
    await system.commit([Write("update", "MedicationRequest", order(one, tablets=140), one)])
    [found] = await verify_signature(system, "MedicationRequest", one)
    assert (found.genuine, found.changed, found.holds) == (True, True, False)
    async with services.database.connection() as connection:
        # Somebody with the database's password writes the signed version itself over.
        done = await connection.execute(
            "UPDATE resource SET body = replace(body, '氨氯地平', '硝苯地平') WHERE id = $1", two)
    assert done == "UPDATE 1"
    [found] = await verify_signature(system, "MedicationRequest", two)
    assert not found.holds


async def test_a_signature_moved_to_other_content_is_refused_and_worth_nothing(system: Handle, services: Services, api: httpx.AsyncClient) -> None:
    one, forged = fresh(), fresh()
    kept = await system.read("Provenance", await signed(system, order(one)))
    assert kept is not None
    copy: dict[str, Any] = {**kept, "id": fresh(), "target": [{"reference": f"MedicationRequest/{forged}/_history/1"}]}
    await system.commit([Write("update", "MedicationRequest", order(forged, tablets=140), forged)])
    for answer in (await api.put(f"/fhir/Provenance/{copy['id']}", json=copy), await api.post("/fhir/Provenance", json=copy)):
        assert answer.status_code == 422, answer.text
        assert "access.signature-replayed" in answer.text
    told = (await api.get(f"/fhir/MedicationRequest/{forged}/$verify-signature")).json()
    assert told["parameter"] == [{"name": "result", "valueBoolean": False}]
    # Even somebody who writes rows as well makes no signature of it.
    await system.commit([Write("update", "Provenance", copy, copy["id"])])
    async with services.database.connection() as connection:
        await connection.execute(
            "INSERT INTO signature SELECT resident, target + 1, $2, type, $3, version, purpose, practitioner, signed FROM signature WHERE id = $1", one, copy["id"], forged)
        await connection.execute(
            "UPDATE signature SET target = hashed.target FROM (SELECT $2::bigint AS target) hashed WHERE provenance = $1", copy["id"], _key(forged))
        [found] = await verdicts(connection, "MedicationRequest", forged)
    assert not found.genuine


def _key(id_: str) -> int:
    from kangyun.commons.access import key_of

    return key_of("MedicationRequest", id_)


async def test_nobody_signs_with_another_ones_keys(system: Handle) -> None:
    mine, others = fresh(), fresh()
    first = await system.read("Provenance", await signed(system, order(mine)))
    second = await system.read("Provenance", await signed(system, order(others), actor=OTHER))
    assert first is not None
    assert second is not None
    keys = [{part.head.key for entry in one["signature"] if (part := attached(entry["data"]))} for one in (first, second)]
    assert len(keys[0]) == len(keys[1]) == 2
    assert keys[0].isdisjoint(keys[1])


async def test_ended_keys_sign_no_more_and_are_verified_for_ever(system: Handle, services: Services) -> None:
    one, two = fresh(), fresh()
    before = await system.read("Provenance", await signed(system, order(one)))
    async with services.database.connection() as connection:
        await end_keys(connection, "dr-wang")
    after = await system.read("Provenance", await signed(system, order(two)))
    assert before is not None
    assert after is not None
    assert attached(before["signature"][0]["data"]).head.key != attached(after["signature"][0]["data"]).head.key  # pyright: ignore[reportOptionalMemberAccess]
    assert (await verify_signature(system, "MedicationRequest", one))[0].holds


async def test_private_parts_are_sealed_and_sealed_anew(system: Handle, services: Services, run_keys: FileKeys) -> None:
    await signed(system, order(fresh()))
    async with services.database.connection() as connection:
        before = [bytes(row["secret"]) for row in await connection.fetch("SELECT secret FROM signing_key ORDER BY id")]
    run_keys.rotate("signing")
    await reseal(services.database, _Aged(run_keys.folder), "signing", Way(rest=0.0))
    async with services.database.connection() as connection:
        after = [bytes(row["secret"]) for row in await connection.fetch("SELECT secret FROM signing_key ORDER BY id")]
    assert before
    assert set(before).isdisjoint(after)
    one = fresh()
    await signed(system, order(one))
    assert (await verify_signature(system, "MedicationRequest", one))[0].holds


class _Aged(FileKeys):
    """Keys whose current version is old enough for a pass."""

    def current(self, purpose: str, now: Any) -> tuple[str, float]:
        return super().current(purpose, now)[0], 3600.0
