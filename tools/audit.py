"""Ask the public registers whether a locked dependency has a known weakness; part of `make check`.

Python packages are looked up by pip-audit, those of the browser by npm. A finding ends with 1 unless it stands in
tools/audit_ignored.yaml with a reason and the day on which somebody looked at it; an ignored finding is looked at anew
after half a year. A register that cannot be reached is told and skipped: `make check` also works on a train.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
IGNORED = ROOT / "tools" / "audit_ignored.yaml"
LOCKS = ("requirements.lock", "requirements-dev.lock")
HOLDS = timedelta(days=183)
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """A known weakness of a package, by the number under which a register keeps it."""

    package: str
    version: str
    number: str


class Unreachable(Exception):  # noqa: N818 - a network that is not there is no fault of the program
    """A register did not answer; the text says what was tried."""


def python_findings(lock: Path) -> list[Finding]:
    """What pip-audit knows about a lock file."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off", "-f", "json", "-r", str(lock)]
    packages: list[dict[str, Any]] = _told(command).get("dependencies", [])
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if len(unknown) == len(packages):
        # A mirror of the packages need not know their weaknesses.
        raise Unreachable("the register in use knows nothing about the packages")
    if unknown:
        print(f"audit of {lock.name}: not known there: {', '.join(unknown)}")
    return [
        Finding(package["name"], package.get("version", "?"), weakness["id"])
        for package in packages for weakness in package.get("vulns", [])
    ]


def browser_findings(folder: Path) -> list[Finding]:
    """What npm knows about the package-lock in a folder."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unreachable("npm is not installed")
    told = _told([npm, "audit", "--json", "--package-lock-only", "--prefix", str(folder)])
    if "vulnerabilities" not in told:
        raise Unreachable("npm's register does not answer")
    found = [(name, via) for name, one in told["vulnerabilities"].items() for via in one.get("via", []) if isinstance(via, dict)]
    return [Finding(name, str(via.get("range", "?")), str(via.get("url", via.get("source", "?"))).rpartition("/")[2]) for name, via in found]


def _told(command: list[str]) -> dict[str, Any]:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        told = json.loads(result.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        raise Unreachable(f"{Path(command[0]).name} {command[2]} does not answer") from error
    return told if isinstance(told, dict) else {}


def ignored(today: date, file: Path = IGNORED) -> set[str]:
    """The numbers that somebody has looked at within half a year. Raises ValueError for an entry without reason or day."""
    entries: list[dict[str, Any]] = yaml.safe_load(file.read_text("utf-8")) or []
    for entry in entries:
        if not entry.get("reason") or not isinstance(entry.get("reviewed"), date):
            raise ValueError(f"{file.name}: {entry.get('id')} needs a reason and the day on which it was reviewed")
    return {str(entry["id"]) for entry in entries if today - entry["reviewed"] <= HOLDS}


def findings() -> Iterator[Finding]:
    """Everything that is known; tells what could not be asked."""
    asked = [*((python_findings, ROOT / lock) for lock in LOCKS), (browser_findings, ROOT)]
    for ask, place in asked:
        try:
            yield from ask(place)
        except Unreachable as error:
            print(f"audit of {place.name}: skipped, {error}")


def main() -> int:
    """Print what is open; 1 when there is anything."""
    known = ignored(datetime.now(UTC).date())
    unlooked = sorted({one for one in findings() if one.number not in known}, key=lambda one: (one.package, one.number))
    for one in unlooked:
        print(f"{one.package} {one.version}: {one.number}")
    print("dependencies: " + (f"{len(unlooked)} known weaknesses" if unlooked else "no weakness is known, of those that could be asked about, that was not looked at"))
    return 1 if unlooked else 0


if __name__ == "__main__":
    sys.exit(main())
