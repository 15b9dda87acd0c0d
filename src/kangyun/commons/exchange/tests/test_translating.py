"""ConceptMap/$translate over HTTP: what the maps say, and nothing that only half means the same."""

from __future__ import annotations

import httpx

LOCAL, LOINC = "urn:kangyun:sender:X:codes:lab", "http://loinc.org"


async def test_a_local_code_is_translated(api: httpx.AsyncClient) -> None:
    elements = [
        {"code": "GLU", "target": [{"code": "14749-6", "display": "葡萄糖", "equivalence": "equivalent"}]},
        {"code": "XT", "target": [{"code": "2345-7", "equivalence": "narrower", "comment": "fasting only"}]},
    ]
    group = [{"source": LOCAL, "target": LOINC, "element": elements}]
    assert (await api.post("/fhir/ConceptMap", json={"resourceType": "ConceptMap", "status": "active", "group": group})).status_code == 201

    async def asked(**query: str) -> dict[str, object]:
        answer = await api.get("/fhir/ConceptMap/$translate", params=query)
        assert answer.status_code == 200
        return answer.json()

    found = await asked(system=LOCAL, code="GLU")
    assert found["parameter"] == [
        {"name": "result", "valueBoolean": True},
        {"name": "match", "part": [
            {"name": "equivalence", "valueCode": "equivalent"},
            {"name": "concept", "valueCoding": {"system": LOINC, "code": "14749-6", "display": "葡萄糖"}},
        ]},
    ]
    nothing = [{"name": "result", "valueBoolean": False}]
    assert (await asked(system=LOCAL, code="XT"))["parameter"] == nothing
    assert (await asked(system="urn:other", code="GLU"))["parameter"] == nothing
    assert (await asked(system=LOCAL, code="GLU", targetsystem="http://snomed.info/sct"))["parameter"] == nothing
    assert (await api.get("/fhir/ConceptMap/$translate?system=x")).status_code == 400
