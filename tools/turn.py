"""Make sure that calls can be tried out: a coturn on the PATH, else Debian's, unpacked beside our packages without root.

Media of a call that finds no direct way goes through a TURN server. A region runs its own (docs/how-to/video.md); this
one is for the demonstration and the tests only, and listens on this machine alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(sys.prefix) / "coturn"
PROGRAM = "usr/bin/turnserver"
LIBRARIES = "usr/lib/*"
_MOST_ROUNDS = 4


def main() -> int:
    """Unpack coturn where there is none; elsewhere than on Debian say that calls stay without a relay."""
    if shutil.which("turnserver") or (TARGET / PROGRAM).exists():
        return 0
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return _without("this is no Debian")
    print("unpacking coturn for calls ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpacked = gathered(Path(folder))
        except (OSError, subprocess.SubprocessError) as error:
            return _without(f"{type(error).__name__}")
        missing = missing_libraries(unpacked)
        if missing:
            return _without(", ".join(sorted(missing)))
        shutil.move(unpacked, TARGET)
    return 0


def gathered(folder: Path) -> Path:
    """The packages' files under one root: coturn, and of what it depends on what this machine lacks."""
    root = folder / "root"
    wanted = {"coturn"}
    done: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        for package in sorted(wanted - done):
            _unpack(package, folder, root)
        done |= wanted
        if not missing_libraries(root):
            break
        wanted = {one for package in done for one in _libraries_of(package)}
    return root


def missing_libraries(root: Path) -> set[str]:
    """The names of shared libraries that the program would not find."""
    paths = ":".join(str(path) for path in root.glob(LIBRARIES))
    told = subprocess.run(
        ["ldd", root / PROGRAM], capture_output=True, text=True, check=True, env=os.environ | {"LD_LIBRARY_PATH": paths})
    return set(re.findall(r"(\S+) => not found", told.stdout))


def _unpack(package: str, folder: Path, root: Path) -> None:
    _download(package, folder)
    for file in folder.glob(f"{package}_*.deb"):
        subprocess.run(["dpkg", "-x", file, root], check=True)


def _download(package: str, folder: Path) -> None:
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package]
    try:
        subprocess.run(command, check=True, cwd=folder, timeout=120, stderr=subprocess.DEVNULL)
    except subprocess.CalledProcessError:
        if os.geteuid() != 0:
            raise
        # The lists of a fresh machine are empty.
        subprocess.run(["apt-get", "-qq", "update"], check=True, timeout=300, stdout=subprocess.DEVNULL)
        subprocess.run(command, check=True, cwd=folder, timeout=120)


def _libraries_of(package: str) -> set[str]:
    told = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True, check=True)
    return set(re.findall(r"^\s+Depends: (lib[a-z0-9.+-]+)$", told.stdout, re.MULTILINE)) - {"libc6"}


def _without(why: str) -> int:
    print(f"no coturn ({why}): calls work without a relay, their tests are skipped (install the package coturn)", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
