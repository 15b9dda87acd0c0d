"""A worker alone knows every job of the platform; what it does not know, nobody would do."""

from __future__ import annotations

import subprocess
import sys

_TELL = "from kangyun.base.jobs.registry import registered; print(*sorted(registered()), sep='\\n')"
_AS_WORKER = "import kangyun.app.serving; from kangyun.app.rooms import load_jobs; load_jobs()"
_EVERYTHING = (
    "import pkgutil, importlib, kangyun\n"
    "for one in pkgutil.walk_packages(kangyun.__path__, 'kangyun.'):\n"
    "    if '.tests' not in one.name and not one.name.endswith('__main__'):\n"
    "        importlib.import_module(one.name)"
)


def test_a_worker_alone_knows_every_job() -> None:
    known = _jobs(_AS_WORKER)
    assert len(known) > 30
    assert known == _jobs(_EVERYTHING)


def _jobs(load: str) -> list[str]:
    """The jobs that a process of its own knows after loading so much."""
    done = subprocess.run([sys.executable, "-c", f"{load}\n{_TELL}"], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.splitlines()
