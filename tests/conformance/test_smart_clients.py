"""Public clients from PyPI against the running platform: fhirclient with each of its ways to log in, fhirpy with a token."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.fhirabstractbase import FHIRValidationError
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException, FHIRPermissionDeniedException, FHIRUnauthorizedException
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import ForbiddenError
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.browser import material
from tests.serving import Server, run

from kangyun.base.simulators import listening
from kangyun.commons.access.gateways.sms_simulator import Simulator

BACK = "https://app.example/back"
PHONE = "12900000041"
SCOPE = "launch/patient patient/*.rs openid fhirUser offline_access"
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@dataclass
class World:
    """A platform with a resident who is logged in in `browser`, and somebody else."""

    server: Server
    browser: httpx.Client
    patient: str
    stranger: str

    def add(self, *more: str) -> dict[str, str]:
        """Register a client; returns what the command printed."""
        return json.loads(run("client", "add", "x", *more, "--json", "--data", self.server.data, settings=self.server.settings).stdout)

    def post(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Open a page and send one of its forms."""
        token = _CSRF.search(self.browser.get(page, follow_redirects=True).text)
        assert token
        return self.browser.post(path, data={"csrf": token[1], **fields})

    def allow(self, address: str) -> str:
        """Say yes to an app; returns the address that leads back to it."""
        page = self.browser.get(address).headers["location"]
        asking = page.partition("asking=")[2]
        return self.post(page, "/oauth/authorize", asking=asking, act="allow", patient=self.patient).headers["location"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("clients")
    (folder / "sms.key").write_bytes(b"between us")
    phones = Simulator(key=b"between us")
    with listening(phones.app) as sms:
        server = Server(folder / "data", sms_url=sms, sms_key_file=str(folder / "sms.key"))
        server.start()
        with httpx.Client(base_url=server.url, timeout=60, headers={"accept": "text/html", "accept-language": "en"}) as browser:
            assert browser.post("/fhir", json=material.bundle()).status_code == 200
            stranger = browser.post("/fhir/Patient", json={"resourceType": "Patient", "name": [{"text": "别的人"}]}).json()["id"]
            found = browser.get("/fhir/Patient", params={"identifier": material.NUMBER}).json()
            world = World(server, browser, str(found["entry"][0]["resource"]["id"]), str(stranger))
            world.post("/login", "/login/code", phone=PHONE)
            world.post("/login/code", "/login/code/check", code=phones.code(PHONE))
            _bind(world)
            yield world
        server.stop()


def _bind(world: World) -> None:
    """Say who one is; the person is placed a moment after the Patient came."""
    for _ in range(100):
        if world.post("/account", "/account/bind", name=material.NAME, number=material.NUMBER).status_code == 303:
            return
        time.sleep(0.1)
    raise AssertionError("the resident was not placed")


def _fhirclient(world: World, told: dict[str, str], **more: Any) -> Any:
    """A client, whose attributes have no types."""
    settings: dict[str, Any] = {"app_id": told["client_id"], "api_base": f"{world.server.url}/fhir", "redirect_uri": BACK, "scope": SCOPE} | more
    if "client_secret" in told:
        settings["app_secret"] = told["client_secret"]
    return FHIRClient(settings=settings)


@pytest.mark.parametrize("kind", ["public", "confidential"])
def test_fhirclient_launches_reads_and_renews(world: World, kind: str) -> None:
    client = _fhirclient(world, world.add("--kind", kind, "--scope", SCOPE, "--redirect", BACK))
    client.prepare()
    assert not client.ready
    client.handle_callback(world.allow(client.authorize_url))
    assert client.ready
    assert client.patient_id == world.patient
    assert client.patient.name[0].text == material.NAME
    values: Any = Observation.where({"patient": world.patient, "_sort": "date"}).perform_resources_iter(client.server)
    assert [one.valueQuantity.value for one in values] == [5.4, 6.8, 7.9, 8.3]
    with pytest.raises(FHIRNotFoundException):
        Patient.read(world.stranger, client.server)
    with pytest.raises(FHIRPermissionDeniedException):
        Patient({"name": [{"text": "x"}]}).create(client.server)
    before = client.server.auth.access_token
    assert client.reauthorize()
    assert client.server.auth.access_token != before
    assert Patient.read(world.patient, client.server).id == world.patient


def test_fhirclient_is_a_backend_service_by_its_key(world: World, tmp_path: Path) -> None:
    key = RSAKey.generate_key(2048, {"kid": "one"})
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    told = world.add("--scope", "system/*.cruds", "--jwks", str(tmp_path / "keys.json"))
    now = int(time.time())
    claims = {"iss": told["client_id"], "sub": told["client_id"], "aud": f"{world.server.url}/oauth/token", "exp": now + 240, "jti": str(now)}
    assertion = jwt.encode({"alg": "RS384", "kid": "one", "typ": "JWT"}, claims, key, algorithms=["RS384"])
    client = _fhirclient(world, told, scope="system/Patient.rs system/Observation.c", jwt_token=assertion)
    client.prepare()
    client.authorize()
    assert client.ready
    found: list[Any] = list(Patient.where({"name": "别的人"}).perform_resources_iter(client.server))
    assert [one.id for one in found] == [world.stranger]
    with pytest.raises(FHIRPermissionDeniedException):
        found[0].delete()


def test_fhirclient_learns_that_a_token_was_revoked(world: World) -> None:
    client = _fhirclient(world, world.add("--kind", "public", "--scope", "launch/patient patient/*.rs", "--redirect", BACK), scope="launch/patient patient/*.rs")
    client.prepare()
    client.handle_callback(world.allow(client.authorize_url))
    token, app = client.server.auth.access_token, client.app_id
    httpx.post(f"{world.server.url}/oauth/revoke", data={"token": token, "client_id": app}, timeout=30)
    with pytest.raises(FHIRUnauthorizedException):
        Patient.read(world.patient, client.server)


def _token(world: World, told: dict[str, str]) -> str:
    form = {"grant_type": "client_credentials"}
    answer = httpx.post(world.server.url + told["token_endpoint"], data=form, auth=(told["client_id"], told["client_secret"]), timeout=30)
    return f"Bearer {answer.json()['access_token']}"


def test_fhirpy_creates_searches_changes_and_deletes(world: World) -> None:
    told = world.add("--scope", "system/*.cruds")
    client = SyncFHIRClient(f"{world.server.url}/fhir", authorization=_token(world, told))
    made = client.resource("Patient", name=[{"text": "费派"}], birthDate="2001-02-03")
    made.save()
    found = client.resources("Patient").search(name="费派").fetch_all()
    assert [one["id"] for one in found] == [made["id"]]
    made["birthDate"] = "2001-02-04"
    made.save()
    assert client.reference("Patient", made["id"]).to_resource()["birthDate"] == "2001-02-04"
    made.delete()
    assert client.resources("Patient").search(name="费派").count() == 0


def test_fhirpy_is_held_to_its_scopes(world: World) -> None:
    told = world.add("--scope", "system/Patient.rs")
    client = SyncFHIRClient(f"{world.server.url}/fhir", authorization=_token(world, told))
    assert client.resources("Patient").search(_id=world.patient).fetch()
    with pytest.raises(ForbiddenError):
        client.resources("Observation").fetch()
    with pytest.raises(ForbiddenError):
        client.resource("Patient", name=[{"text": "x"}]).save()


def test_fhirclient_understands_our_capability_statement(world: World) -> None:
    from fhirclient.models.capabilitystatement import CapabilityStatement

    statement = httpx.get(f"{world.server.url}/fhir/metadata", timeout=30).json()
    try:
        CapabilityStatement(statement)
    except FHIRValidationError as error:
        pytest.fail(str(error))
