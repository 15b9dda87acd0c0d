"""`kangyun user`: what it prints lets somebody in, and what it takes back is out at once, beside a running server."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pyotp.totp import TOTP
from tests.serving import COMMAND, Server, environment

PASSWORD = "Yun-zhou2026"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("users") / "data", access_local_role="")
    running.start(90)
    yield running
    running.stop()


def user(server: Server, *arguments: str, typed: str = "", expect: int = 0) -> Any:
    """Run `kangyun user`; returns what it printed as JSON, or its complaint."""
    done = subprocess.run(
        [COMMAND, "user", *arguments, "--json", "--data", str(server.data)], input=typed, capture_output=True, text=True, timeout=100,
        check=False, env={**os.environ, **environment(**server.settings)},
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stderr if expect else json.loads(done.stdout)


def post(client: httpx.Client, page: str, path: str, **fields: str) -> httpx.Response:
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(page).text)
    assert token
    return client.post(path, data={"csrf": token[1], **fields})


def browser(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"accept": "text/html"}, timeout=30)


def test_an_invitation_of_the_command_lets_somebody_in_once(server: Server) -> None:
    told = user(server, "add", "dr_cli", "--role", "hospital_doctor", "--institution", "h-1")
    path = httpx.URL(told["invitation"]).path
    with browser(server) as client:
        assert post(client, path, path, **{"as": "password"}, password=PASSWORD).headers["location"] == "/login/enrol"
        assert client.get(path).status_code == 410
    [row] = user(server, "list", "--institution", "h-1")
    assert (row["user"], row["state"], row["role"]) == ("dr_cli", "active", "hospital_doctor")
    assert "taken" in user(server, "add", "dr_cli", "--role", "nurse", expect=1)


def test_an_account_for_scripts_is_locked_at_once(server: Server) -> None:
    user(server, "add", "script", "--role", "system_admin", "--password-stdin", "--totp-stdin", typed=f"{PASSWORD}\n{SECRET}\n")
    assert "three persons" in user(server, "grant", "script", "--role", "audit_admin", expect=1)
    with browser(server) as client:
        post(client, "/login", "/login/password/check", name="script", password=PASSWORD)
        assert "/login" not in post(client, "/login/second", "/login/second", code=TOTP(SECRET).now()).headers["location"]
        assert client.get("/account").status_code == 200
        user(server, "lock", "script")
        assert client.get("/account").status_code == 303
        assert "no such account" in user(server, "lock", "nobody", expect=1)
