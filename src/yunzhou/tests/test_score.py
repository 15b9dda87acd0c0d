"""Scoring: a record without fault is perfect, and every kind of fault is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from yunzhou.bundles import ENCODER
from yunzhou.score import Reader, Score, read_truth, score
from yunzhou.tests.standard import told

Json = dict[str, Any]
BASE = "http://platform/fhir"


def _record() -> dict[str, list[Json]]:
    """The record that a right platform makes of the bundles of the township hospital."""
    held: dict[tuple[str, str], Json] = {}
    for message in told(0.0):
        if message.transport != "fhir" or message.institution != 3:
            continue
        entries = json.loads(message.body, parse_float=Decimal)["entry"]
        for entry in entries:
            key = (entry["resource"]["resourceType"], entry["request"]["ifNoneExist"])
            held.setdefault(key, {**entry["resource"], "id": entry["fullUrl"][9:]})
    record: dict[str, list[Json]] = {}
    for (kind, _), resource in held.items():
        record.setdefault(kind, []).append(resource)
    return record


def _serve(record: dict[str, list[Json]]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        kind, query = request.url.path.rsplit("/", 1)[1], request.url.params
        found = [resource for resource in record.get(kind, []) if _matches(resource, query)]
        entries = [{"resource": resource} for resource in found]
        body: Json = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        start = int(query.get("from", "0"))
        body["entry"] = entries[start : start + 50]
        if len(entries) > start + 50:
            body["link"] = [{"relation": "next", "url": str(request.url.copy_set_param("from", str(start + 50)))}]
        return httpx.Response(200, content=ENCODER.encode(body))

    return answer


def _matches(resource: Json, query: httpx.QueryParams) -> bool:
    if "identifier" in query:
        return any(
            f"{one['system']}|{one['value']}" in query["identifier"].split(",") for one in resource["identifier"]
        )
    if "link" in query:
        return False
    owner = (resource.get("subject") or resource["patient"])["reference"].removeprefix("urn:uuid:")
    return f"Patient/{owner}" in (query.get("subject") or query["patient"]).split(",")


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.ndjson"
    facts = [f for m in told(0.0) for f in m.every_fact() if m.institution == 3 or f["fact"] == "merge"]
    path.write_bytes(b"".join(msgspec.json.encode(fact) + b"\n" for fact in facts))
    return path


async def _scored(record: dict[str, list[Json]], truth: Path) -> Score:
    reader = Reader(BASE)
    await reader.client.aclose()
    reader.client = httpx.AsyncClient(transport=httpx.MockTransport(_serve(record)))
    return await score(read_truth(truth), reader)


async def test_a_right_record_is_perfect(truth: Path) -> None:
    result = await _scored(_record(), truth)
    assert result.perfect, result.table()
    assert result.counts["result"]["once"] > 300


@pytest.mark.parametrize(
    ("kind", "fact"),
    [("Encounter", "visit"), ("MedicationRequest", "medicine"), ("Observation", "result"), ("Patient", "resident")],
)
async def test_it_finds_what_is_doubled(truth: Path, kind: str, fact: str) -> None:
    record = _record()
    twin = copy.deepcopy(record[kind][0])
    twin["id"] = "twin"
    record[kind].append(twin)
    result = await _scored(record, truth)
    assert result.counts[fact]["doubled"] > 0
    assert not result.perfect


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        ("Encounter", "visit"),
        ("MedicationRequest", "medicine"),
        ("Observation", "result"),
        ("Immunization", "immunisation"),
    ],
)
async def test_it_finds_what_is_lost(truth: Path, kind: str, fact: str) -> None:
    record = _record()
    del record[kind][0]
    result = await _scored(record, truth)
    assert result.counts[fact]["missing"] > 0
    assert not result.perfect


async def test_it_finds_a_value_that_changed(truth: Path) -> None:
    record = _record()
    changed = next(one for one in record["Observation"] if "valueQuantity" in one)
    changed["valueQuantity"]["value"] = 4711
    result = await _scored(record, truth)
    assert result.counts["result"]["wrong"] == 1
    assert "4711" in result.table()
