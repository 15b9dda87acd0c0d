"""Nothing in the repository depends on the machine it was written on, and nothing in it is about a real person."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.house.house import ROOT, assert_kept, committed_files

TEXT = {
    ".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sql", ".html", ".css", ".js", ".txt", ".lock", ".cfg", ".ini",
    ".sh", ".csv", ".hl7", "",
}
LARGEST = 2_000_000

# A lock file names packages and hashes; where they come from is the business of each machine.
HOSTS = re.compile(
    r"https?://[^\s\"']*(?:\.(?:whl|tgz)\b|/simple/|/artifactory/)"
    r"|--(?:extra-)?index-url|--trusted-host|^\s*registry\s*=", re.MULTILINE,
)
PLACES = re.compile(r"(?<![\w.~/-])/(?:work|root|home|Users|mnt/\w+)/[\w.-]+")

# Identity numbers of the made-up region begin with 99; no division of China has that code.
IDENTITY = re.compile(r"(?<![\w.\-])([1-9]\d{5})((?:18|19|20)\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{3})([\dXx])(?!\w)")
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

# The worked examples of GB 11643 itself, and of the electronic health card's specification.
PUBLISHED = {"11010519491231002X", "440524188001010014", "11010020171225006X"}


def texts(files: Iterable[Path]) -> list[tuple[Path, str]]:
    """The committed text files with their contents."""
    small = (path for path in files if path.suffix in TEXT and path.stat().st_size < LARGEST)
    return [(path, path.read_text("utf-8", errors="replace")) for path in small]


def place_faults(files: Iterable[Path]) -> list[str]:
    """Hosts of package registries and absolute paths of some machine."""
    own = Path(__file__).name
    return [
        f"{path.name}: {match[0][:80]}"
        for path, text in texts(files)
        for pattern in (HOSTS, PLACES)
        for match in pattern.finditer(text)
        if path.name != own
    ]


def identity_faults(files: Iterable[Path]) -> list[str]:
    """Identity numbers with a right check digit that a real person could have."""
    return [
        f"{path.name}: {match[0]}"
        for path, text in texts(files)
        for match in IDENTITY.finditer(text)
        if not match[0].startswith("99") and match[0].upper() not in PUBLISHED and _is_valid(match[0])
    ]


def _is_valid(number: str) -> bool:
    """The check digit of GB 11643 (ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(number, WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[-1].upper()


def test_no_file_names_a_registry_or_a_place_on_a_machine() -> None:
    assert_kept(place_faults(committed_files()))


def test_no_file_holds_an_identity_number_that_somebody_could_have() -> None:
    assert_kept(identity_faults(committed_files()))


def test_no_file_is_large() -> None:
    large = [path.relative_to(ROOT).as_posix() for path in committed_files() if path.stat().st_size > LARGEST]
    assert large == []


def test_the_licence_is_there() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")


def test_the_laws_of_the_repository_catch_what_they_forbid(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text("\n".join([
        "resolved: https://packages.example/x/-/x-1.tgz", "see /home/somebody/notes", "http://10.0.0.1:8081/a/b.whl",
        "11010119900307" + "8" + "01" + "9", "99010119900307" + "8018", "https://example.org/home/page",
    ]))
    assert len(place_faults([file])) == 3
    number = next(f"1101011990030780{last}{check}" for last in "1" for check in "0123456789X"
                  if _is_valid(f"1101011990030780{last}{check}"))
    file.write_text(f"{number} 99{number[2:]}")
    assert identity_faults([file]) == [f"notes.md: {number}"]
