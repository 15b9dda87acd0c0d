"""`kangyun client`: a service gets in by what the command printed, beside a running server and before there ever was one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import ECKey
from tests.serving import Server, run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server over a data folder in which a client was made before the first start."""
    server = Server(tmp_path_factory.mktemp("clients") / "data", access_local_role="")
    told = run("client", "add", "检验平台", "--scope", "system/*.cruds", "--data", server.data).stdout
    server.start()
    yield server, dict(line.split(": ", 1) for line in told.splitlines())
    server.stop()


def token(server: Server, client: dict[str, str], **more: str) -> httpx.Response:
    told = {"grant_type": "client_credentials", "client_id": client["client_id"], "client_secret": client["client_secret"], **more}
    return httpx.post(server.url + client["token_endpoint"], data=told, timeout=30)


def status(server: Server, secret: str) -> int:
    return httpx.get(f"{server.url}/fhir/Patient", headers={"authorization": f"Bearer {secret}"}, timeout=30).status_code


def test_what_the_command_prints_opens_the_api(made: tuple[Server, dict[str, str]]) -> None:
    server, client = made
    assert list(client) == ["client_id", "client_secret", "token_endpoint"]
    answer = token(server, client)
    assert answer.status_code == 200, answer.text
    bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
    assert httpx.post(f"{server.url}/fhir/Patient", json={"resourceType": "Patient"}, headers=bearer, timeout=30).status_code == 201
    assert httpx.get(f"{server.url}/fhir/Patient", headers=bearer, timeout=30).json()["total"] == 1
    assert httpx.get(f"{server.url}/fhir/Patient", timeout=30).status_code == 401


def test_beside_a_running_server_everything_holds_at_once(made: tuple[Server, dict[str, str]]) -> None:
    server, _ = made
    client = json.loads(run("client", "add", "Bed board", "--scope", "system/Patient.rs", "--data", server.data, "--json").stdout)
    first = token(server, client).json()
    assert first["scope"] == "system/Patient.rs"
    assert status(server, first["access_token"]) == 200
    changed = json.loads(run("client", "rotate", client["client_id"], "--data", server.data, "--json").stdout)
    assert status(server, first["access_token"]) == 401
    assert token(server, client).status_code == 401
    second = token(server, changed).json()
    assert status(server, second["access_token"]) == 200
    run("client", "revoke", client["client_id"], "--data", server.data)
    assert status(server, second["access_token"]) == 401
    assert token(server, changed).json()["error"] == "invalid_client"
    listed = json.loads(run("client", "list", "--data", server.data, "--json").stdout)["clients"]
    assert {one["name"]: one["state"] for one in listed} == {"检验平台": "active", "Bed board": "revoked"}
    assert "client_secret" not in run("client", "list", "--data", server.data).stdout


def test_a_client_with_keys_has_no_secret(made: tuple[Server, dict[str, str]], tmp_path: Path) -> None:
    server, _ = made
    key = ECKey.generate_key("P-384", {"kid": "1"})
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    told = run("client", "add", "x", "--scope", "system/*.rs", "--jwks", tmp_path / "keys.json", "--data", server.data).stdout
    assert "client_id: " in told
    assert "client_secret" not in told


@pytest.mark.parametrize(("more", "told"), [
    (["--scope", "everything"], "is not a scope"),
    (["--scope", "system/*.rs", "--role", "operator"], "cannot act in this role"),
    (["--scope", "patient/*.rs", "--redirect", "http://elsewhere.example/"], "must be https"),
    (["--scope", "system/*.rs", "--jwks", "nowhere.json"], "nowhere.json"),
])
def test_a_mistake_is_one_clear_message(made: tuple[Server, dict[str, str]], more: list[str], told: str) -> None:
    answer = run("client", "add", "x", *more, "--data", made[0].data, check=False)
    assert answer.returncode == 1
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_unknown_client_is_told(made: tuple[Server, dict[str, str]]) -> None:
    answer = run("client", "revoke", "nobody", "--data", made[0].data, check=False)
    assert answer.returncode == 1
    assert "no such app" in answer.stderr
