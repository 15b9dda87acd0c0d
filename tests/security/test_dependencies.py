"""The look at dependencies: what is found fails, what was looked at is let pass for half a year, no network is told."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from datetime import date
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.house.house import ROOT


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["audit"] = module
    spec.loader.exec_module(module)
    return module


def answering(monkeypatch: pytest.MonkeyPatch, python: Any, browser: Any) -> None:
    """What the two registers say; a text is no answer."""
    def run(command: list[str], **_: Any) -> Any:
        told = python if "pip_audit" in command else browser
        if told is None:
            raise subprocess.TimeoutExpired(command, 1)
        return SimpleNamespace(stdout=told if isinstance(told, str) else json.dumps(told))

    monkeypatch.setattr(subprocess, "run", run)


PYTHON = {"dependencies": [{"name": "x", "version": "1", "vulns": [{"id": "PYSEC-1"}]}, {"name": "y", "version": "2", "vulns": []}]}
BROWSER = {"vulnerabilities": {"z": {"via": [{"url": "https://github.com/advisories/GHSA-1", "range": "<2"}]}, "w": {"via": ["z"]}}}


def test_a_finding_fails(audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(audit.shutil, "which", lambda _: "npm")
    answering(monkeypatch, PYTHON, BROWSER)
    assert audit.main() == 1
    told = capsys.readouterr().out
    assert "x 1: PYSEC-1" in told
    assert "z <2: GHSA-1" in told
    answering(monkeypatch, {"dependencies": [{"name": "y", "version": "2", "vulns": []}]}, {"vulnerabilities": {}})
    assert audit.main() == 0


@pytest.mark.parametrize("silence", [None, "no json", {"dependencies": [{"name": "x", "skip_reason": "not found"}]}])
def test_no_network_is_told_and_fails_nothing(
    silence: Any, audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(audit.shutil, "which", lambda _: "npm")
    answering(monkeypatch, silence, silence or {"error": {"code": "ENOTFOUND"}})
    assert audit.main() == 0
    assert capsys.readouterr().out.count("skipped") == 3


def test_what_was_looked_at_holds_for_half_a_year_and_names_its_reason(audit: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "ignored.yaml"
    file.write_text("- {id: PYSEC-1, reason: we never call it, reviewed: 2026-11-22}\n")
    assert audit.ignored(date(2026, 12, 1), file) == {"PYSEC-1"}
    assert audit.ignored(date(2027, 6, 30), file) == set()
    file.write_text("- {id: PYSEC-1, reviewed: 2026-11-22}\n")
    with pytest.raises(ValueError, match="needs a reason"):
        audit.ignored(date(2026, 12, 1), file)
