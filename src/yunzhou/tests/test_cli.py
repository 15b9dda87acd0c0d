"""The command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from yunzhou import cli

SMALL = ["--residents", "20", "--years", "1", "--until", "2026-07-01", "--seed", "3"]
_IMPORTING = re.compile(r"^\s*(from|import)\s+kangyun\b", re.MULTILINE)


def test_generate_writes_messages_and_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["generate", "--out", str(tmp_path / "a"), *SMALL]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert len(list((tmp_path / "a" / "hl7").iterdir())) == counts["mllp"] > 20
    assert len(list((tmp_path / "a" / "fhir").iterdir())) == counts["fhir"] > 5
    lines = (tmp_path / "a" / "messages.ndjson").read_text(encoding="utf-8").splitlines()
    assert len(lines) == sum(counts.values())
    facts = [
        json.loads(line)["fact"] for line in (tmp_path / "a" / "truth.ndjson").read_text(encoding="utf-8").splitlines()
    ]
    assert {"resident", "visit", "result", "message"} <= set(facts)


def test_generate_is_the_same_in_another_process(tmp_path: Path) -> None:
    cli.main(["generate", "--out", str(tmp_path / "a"), *SMALL])
    subprocess.run([sys.executable, "-m", "yunzhou.cli", "generate", "--out", str(tmp_path / "b"), *SMALL], check=True)
    for name in ("messages.ndjson", "truth.ndjson"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_score_asks_for_a_truth_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score"]) == 2
    assert "--truth" in capsys.readouterr().err


def test_it_never_imports_the_platform() -> None:
    sources = Path(cli.__file__).parent.rglob("*.py")
    assert not [path for path in sources if "tests" not in path.parts and _IMPORTING.search(path.read_text(encoding="utf-8"))]
