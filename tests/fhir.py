"""Made-up resources, and what every answer of the FHIR API must fulfil."""

from __future__ import annotations

from typing import Any

import httpx

from kangyun.base.fhir.validation import validate

FHIR_JSON = {"content-type": "application/fhir+json"}


def patient(**more: Any) -> dict[str, Any]:
    """Somebody in the made-up region."""
    return {"resourceType": "Patient", "name": [{"family": "李", "given": ["娜"]}], "gender": "female", **more}


def observation(patient_id: str, value: str = "1.50", **more: Any) -> str:
    """A potassium result as JSON text, so that the value keeps its digits; `more` is JSON text by name."""
    extra = "".join(f',"{name}":{text}' for name, text in more.items())
    return (
        '{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]}'
        f',"subject":{{"reference":"Patient/{patient_id}"}},"valueQuantity":{{"value":{value},"unit":"mmol/L"}}{extra}}}'
    )


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    """A Bundle of the given entries."""
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """One entry; `fullUrl` stands beside the request, everything else inside it."""
    found: dict[str, Any] = {"request": {"method": method, "url": url}}
    if "fullUrl" in more:
        found["fullUrl"] = more.pop("fullUrl")
    found["request"] |= more
    return found | ({} if resource is None else {"resource": resource})


def refused(response: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The first issue of a refusal, which must be a valid OperationOutcome with text in both languages."""
    assert response.status_code == status, f"{response.status_code} {response.text[:500]}"
    return told(response, code)


def told(response: httpx.Response, code: str | None = None) -> dict[str, Any]:
    """The first issue of an OperationOutcome that is itself valid FHIR."""
    assert response.headers["content-type"].startswith("application/fhir+json")
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert [i for i in validate(outcome) if i.severity in {"error", "fatal"}] == []
    issue: dict[str, Any] = outcome["issue"][0]
    assert issue["details"]["text"]
    assert issue["details"]["text"] != issue.get("diagnostics"), "the message has no text"
    assert code is None or issue["code"] == code, issue
    return issue


def found(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a good answer."""
    assert response.status_code < 300, f"{response.status_code} {response.text[:500]}"
    return response.json()


def ids(response: httpx.Response) -> list[str]:
    """The ids of a searchset's or history's entries, in order."""
    return [e["resource"]["id"] for e in found(response).get("entry", []) if e.get("search", {}).get("mode") != "outcome"]


def link(answer: dict[str, Any], relation: str) -> str | None:
    """A link of a Bundle."""
    return next((one["url"] for one in answer.get("link", []) if one["relation"] == relation), None)


async def create(api: httpx.AsyncClient, resource: dict[str, Any] | str) -> dict[str, Any]:
    """Post a resource and return it as stored."""
    if isinstance(resource, dict):
        response = await api.post(f"/fhir/{resource['resourceType']}", json=resource)
    else:
        kind = resource.split('"')[3]
        response = await api.post(f"/fhir/{kind}", content=resource.encode(), headers=FHIR_JSON)
    assert response.status_code == 201, response.text[:500]
    return response.json()
