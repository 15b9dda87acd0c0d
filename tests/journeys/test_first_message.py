"""A newcomer follows the README and the tutorial word for word, against a running platform."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = re.compile(r"<!-- run: (.+?) -->\n```bash\n(.*?)```", re.DOTALL)
FILE = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the documents use curl")


@dataclass(frozen=True)
class Platform:
    """A running `kangyun serve`."""

    port: int
    mllp_port: int

    def here(self, text: str) -> str:
        """The text of a document with the addresses of this platform."""
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}").replace("2575", str(self.mllp_port))
        return text.replace(".venv/bin/python", sys.executable)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("platform")
    running = Platform(free_port(), free_port())
    command = [sys.executable, "-m", "kangyun.app.cli", "serve", "--data", str(folder / "data"),
               "--port", str(running.port), "--mllp-port", str(running.mllp_port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    try:
        wait_until_ready(running.port, process, folder / "log")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "docs/tutorials/first-message.md"])
def test_what_the_document_says_happens(platform: Platform, name: str, tmp_path: Path) -> None:
    text = (ROOT / name).read_text("utf-8")
    for file, body in FILE.findall(text):
        (tmp_path / file).write_text(platform.here(body), "utf-8")
    blocks = RUN.findall(text)
    assert blocks, "the document has steps to follow"
    for expected, command in blocks:
        done = subprocess.run(
            ["sh", "-ec", platform.here(command)], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        assert expected in done.stdout, f"{command}\n{done.stdout}\n{done.stderr}"


def test_a_repeated_message_is_answered_again_and_stored_once(platform: Platform, tmp_path: Path) -> None:
    text = (ROOT / "docs/tutorials/first-message.md").read_text("utf-8")
    [(file, body)] = FILE.findall(text)
    (tmp_path / file).write_text(platform.here(body), "utf-8")
    for _ in range(2):
        done = subprocess.run([sys.executable, file], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "MSA|AA|FIRST0001" in done.stdout
    found = httpx.get(
        f"http://127.0.0.1:{platform.port}/fhir/Observation",
        params={"patient.identifier": "990101198805040024", "code": "14749-6"},
    ).json()
    assert found["total"] == 1
