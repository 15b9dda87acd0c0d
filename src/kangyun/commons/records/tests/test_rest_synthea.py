"""Whole lives of outside, synthetic people: every bundle loads as one transaction and is found again."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import httpx
import pytest
from tests.conftest import shared
from tests.fhir import found


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_all_bundles_load_and_nothing_is_lost(api: httpx.AsyncClient) -> None:
    expected: Counter[str] = Counter()
    files = sorted(shared("synthea").glob("*.json"))
    assert len(files) == 13
    for path in files:
        body = path.read_bytes()
        content: dict[str, Any] = json.loads(body)
        response = await api.post("/fhir", content=body, headers={"content-type": "application/fhir+json"})
        answers = found(response)["entry"]
        assert [e["response"]["status"][:3] for e in answers] == ["201"] * len(answers), path.name
        expected.update(e["resource"]["resourceType"] for e in content["entry"])
    for kind, number in expected.items():
        assert found(await api.get(f"/fhir/{kind}?_summary=count"))["total"] == number, kind
