"""kill -9 while documents go up to the province: none is lost, none is there twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from kangyun.base import rules
from kangyun.base.simulators import listening
from kangyun.commons.exchange.decisions.cda.xml import attribute, read
from kangyun.commons.exchange.gateways.province_simulator import Simulator
from tests.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RESIDENTS = 12
ID_NUMBERS = "urn:oid:2.16.156.10011.1.3"


class Slow(Simulator):
    """A province that takes its time, so that a kill finds documents on their way; every third answer is lost."""

    async def put(self, request: Request) -> Response:
        await asyncio.sleep(0.2)
        answer = await super().put(request)
        return Response(status_code=504) if len(self.came) % 3 == 0 else answer


@pytest.fixture
def province(tmp_path: Path) -> Iterator[tuple[Slow, Path]]:
    simulator = Slow()
    own = rules.load("kangyun.commons.exchange", "cda/province.yaml").file.read_text("utf-8")
    with listening(simulator.app) as url:
        file = tmp_path / "regions" / "yunzhou" / "rules" / "commons" / "exchange" / "cda" / "province.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(own.replace('url: ""', f'url: "{url}"'), "utf-8")
        yield simulator, tmp_path / "regions"


def bundle() -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    for number in range(RESIDENTS):
        name = f"up-{number}"
        vaccine = {"coding": [{"system": "urn:oid:2.16.156.10011.2.3.1.210", "code": "03"}]}
        patient: dict[str, Any] = {
            "resourceType": "Patient", "id": name, "gender": "male", "birthDate": "1980-01-01", "name": [{"text": "某人"}],
            "identifier": [{"system": ID_NUMBERS, "value": f"99010119800101{number:03d}X"}], "address": [{"text": "某地"}],
        }  # fmt: skip
        given: dict[str, Any] = {"resourceType": "Immunization", "id": name, "status": "completed", "patient": {"reference": f"Patient/{name}"}, "vaccineCode": vaccine, "occurrenceDateTime": "2026-01-10"}
        entries += [{"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{name}"}} for one in (patient, given)]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def until(found: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 120
    while not found():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_what_is_on_its_way_when_the_platform_dies_arrives_once(province: tuple[Slow, Path], tmp_path: Path) -> None:
    simulator, regions = province
    server = Server(tmp_path / "data", region_rules=str(regions))
    server.start(120)
    try:
        answer = httpx.post(f"{server.url}/fhir", json=bundle(), timeout=60)
        assert answer.status_code == 200, answer.text
        for count in (3, 7):
            until(lambda count=count: len(simulator.came) >= count, "nothing goes up")
            server.kill()
            server.start(120)

        def vaccinations() -> dict[str, bytes]:
            return {name: body for name, body in list(simulator.documents.items()) if attribute(read(body), "code", "code") == "HSDB03.01"}

        until(lambda: len(vaccinations()) >= RESIDENTS, "not all went up")
        sets = Counter(attribute(read(body), "setId", "extension") for body in vaccinations().values())
        assert set(sets.values()) == {1}
        until(lambda: "KYU" in httpx.get(f"{server.url}/exchange/upload?state=accepted", timeout=60).text, "no receipt is shown")
        assert not httpx.get(f"{server.url}/exchange/upload?state=refused", timeout=60).text.count("id-reused")
    finally:
        server.stop()
