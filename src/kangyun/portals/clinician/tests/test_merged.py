"""A resident whose records were merged, on the real record store."""

from __future__ import annotations

from typing import Any

import httpx


def problem(patient: str, text: str) -> dict[str, Any]:
    return {"resourceType": "Condition", "subject": {"reference": f"Patient/{patient}"}, "code": {"text": text}}


async def test_the_survivor_shows_what_was_written_under_the_merged_number(api: httpx.AsyncClient) -> None:
    other = {"link": [{"other": {"reference": "Patient/stays"}, "type": "replaced-by"}], "active": False}
    mine = {"link": [{"other": {"reference": "Patient/goes"}, "type": "replaces"}]}
    people = [("stays", mine), ("goes", other)]
    for name, more in people:
        body = {"resourceType": "Patient", "id": name, "name": [{"text": "周秀兰"}], **more}
        assert (await api.put(f"/fhir/Patient/{name}", json=body)).status_code == 201
    for name, text in (("stays", "高血压病"), ("goes", "青光眼")):
        assert (await api.post("/fhir/Condition", json=problem(name, text))).status_code == 201

    page = await api.get("/clinician/residents/stays", headers={"accept": "text/html"})
    assert "高血压病" in page.text
    assert "青光眼" in page.text

    gone = await api.get("/clinician/residents/goes", headers={"accept": "text/html"})
    assert gone.status_code == 303
    assert gone.headers["location"] == "/clinician/residents/stays"
