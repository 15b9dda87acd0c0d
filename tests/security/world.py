"""A small record with something behind every address, and the addresses themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from kangyun.app.web import route_table
from kangyun.base.web.routing import GuardedRoute

NAME, ID_NUMBER, PHONE, PLACE = "欧阳锦瑟", "990121195603040423", "13912340987", "梧桐里88号"
"""A resident whose particulars stand nowhere else, so that they are recognised wherever they leak."""

_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_RESOURCES: list[dict[str, Any]] = [
    {
        "resourceType": "Patient", "id": "marked", "gender": "female", "birthDate": "1956-03-04", "name": [{"text": NAME}],
        "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": ID_NUMBER}], "telecom": [{"system": "phone", "value": PHONE}],
        "address": [{"text": f"云州市东湖区{PLACE}"}],
    },
    {"resourceType": "Patient", "id": "other", "gender": "male", "birthDate": "1970-01-01", "name": [{"text": "某人"}]},
    {
        "resourceType": "Observation", "id": "marked-pressure", "status": "final", "subject": {"reference": "Patient/marked"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "收缩压"}, "effectiveDateTime": "2026-01-10",
        "valueQuantity": {"value": 182, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
    },
    {
        "resourceType": "DiagnosticReport", "id": "marked-report", "status": "final", "subject": {"reference": "Patient/marked"},
        "code": {"text": "心电图"}, "effectiveDateTime": "2026-01-10", "conclusion": "窦性心律",
    },
]  # fmt: skip
GOOD = "MSH|^~\\&|HIS|W1|||20260301080000+0800||ADT^A28|1|P|2.5||||||UNICODE UTF-8\rEVN|A28|20260301\rPID|1||M1||周秀兰||19560304|F\r"
BAD = GOOD.replace("|1|P|", "|2|P|").replace("|F\r", "|Q\r")


@dataclass
class World:
    """What stands behind the parameters of addresses."""

    parameters: dict[str, str] = field(default_factory=dict[str, str])


async def fill(operator: httpx.AsyncClient) -> World:
    """Write the small record as somebody who may."""
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}} for one in _RESOURCES]
    answer = await operator.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text
    numbers: list[str] = []
    for message in (GOOD, BAD):
        answer = await operator.post("/exchange/hl7v2", content=message.encode(), headers={"content-type": "text/plain"})
        numbers += re.findall(r"\|KY(\d+)\|", answer.text)
    assert len(numbers) == 2, numbers
    return World({
        "/exchange/messages": numbers[1], "/population/cards": "marked", "/clinician/residents": "marked", "type": "DiagnosticReport",
        "document": "marked-report", "first": "marked", "second": "other", "code": "HSDA00.01", "number": "0",
    })


def pages() -> Iterator[GuardedRoute]:
    """The routes that people's browsers open or post to."""
    for entry in route_table():
        if not entry.path.startswith("/fhir") and ".api" not in entry.endpoint.__module__:
            yield entry


def address(entry: GuardedRoute, world: World, values: dict[str, str] | None = None) -> str:
    """The route's address with something behind each of its parameters."""
    def filled(match: re.Match[str]) -> str:
        name, kind = match.groups()
        before = entry.path[: match.start()].rstrip("/")
        known = {**world.parameters, **(values or {})}
        return known.get(before) or known.get(name) or ("1" if kind == "int" else "marked")

    return _PARAMETER.sub(filled, entry.path)
