"""A newcomer follows the README and the tutorial word for word, against a running platform."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving import COMMAND, Server

ROOT = Path(__file__).resolve().parents[2]
RUN = re.compile(r"<!-- run: (.+?) -->\n```bash\n(.*?)```", re.DOTALL)
FILE = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the documents use curl")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running platform without any data."""
    server = Server(tmp_path_factory.mktemp("platform") / "data", bare=True, access_local_role="")
    server.start(120)
    yield server
    server.stop()


def here(text: str, platform: Server) -> str:
    """The text of a document with the addresses of this platform."""
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{platform.port}").replace("2575", str(platform.mllp_port))
    text = text.replace(".venv/bin/kangyun client add", f"{COMMAND} client add --data {platform.data}")
    return text.replace(".venv/bin/python", sys.executable)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "docs/tutorials/first-message.md"])
def test_what_the_document_says_happens(platform: Server, name: str, tmp_path: Path) -> None:
    text = (ROOT / name).read_text("utf-8")
    for file, body in FILE.findall(text):
        (tmp_path / file).write_text(here(body, platform), "utf-8")
    blocks = RUN.findall(text)
    assert blocks, "the document has steps to follow"
    for expected, command in blocks:
        done = subprocess.run(
            ["sh", "-ec", here(command, platform)], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        assert expected in done.stdout, f"{command}\n{done.stdout}\n{done.stderr}"


def test_a_repeated_message_is_answered_again_and_stored_once(platform: Server, tmp_path: Path) -> None:
    text = (ROOT / "docs/tutorials/first-message.md").read_text("utf-8")
    [(file, body)] = FILE.findall(text)
    (tmp_path / file).write_text(here(body, platform), "utf-8")
    for _ in range(2):
        done = subprocess.run([sys.executable, file], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "MSA|AA|FIRST0001" in done.stdout
    login = next(command for _, command in RUN.findall(text) if "oauth/token" in command)
    done = subprocess.run(["sh", "-ec", here(login, platform)], cwd=tmp_path, capture_output=True, text=True, check=True)
    name, _, value = done.stdout.strip().partition(": ")
    found = httpx.get(
        f"{platform.url}/fhir/Observation", headers={name: value},
        params={"patient.identifier": "990101198805040024", "code": "14749-6"},
    ).json()
    assert found["total"] == 1
