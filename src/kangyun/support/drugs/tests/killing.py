"""Run as a process of its own: dispense a prescription again and again with one key, and be killed after the first, second, third... statement.

Arguments: DSN, folder of keys, data folder, number, pharmacy, key. Prints one line of JSON: how many attempts were killed, and the state at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from kangyun.app.services import assemble
from kangyun.base.database import Database
from kangyun.base.database.connection import open_pool
from kangyun.base.fhir import definitions
from kangyun.base.settings import Settings
from kangyun.commons.access import Actor
from kangyun.support import drugs
from kangyun.support.drugs.decisions.knowledge import shipped

_MOST = 80


class _Watched(set[Any]):
    """No logger at all, which says that it is one, so that every statement passes by the counter."""

    def __bool__(self) -> bool:
        return True


def die_after(statements: int) -> None:
    """Let this process be killed when that many statements have been answered."""
    kind: Any = asyncpg.connection.Connection
    whole = kind._time_and_log
    done = 0

    @contextmanager
    def counted(self: Any, *told: Any) -> Generator[None]:
        nonlocal done
        with whole(self, *told):
            yield
        done += 1
        if done >= statements:
            os.kill(os.getpid(), signal.SIGKILL)

    begin = kind.__init__

    def watched(self: Any, *told: Any, **more: Any) -> None:
        begin(self, *told, **more)
        self._query_loggers = _Watched()

    kind._time_and_log = counted
    kind.__init__ = watched


async def dispense(arguments: list[str]) -> str:
    """Dispense as a pharmacist of the pharmacy."""
    dsn, keys, data, number, pharmacy, key = arguments
    database = Database(dsn, open_pool(dsn, 2, 30), None)
    services = assemble(Settings(data=Path(data), keys_folder=keys), database)
    handle = services.gate.open(Actor("user/shop", "retail_pharmacist", institution=pharmacy, practitioner="d-ph-shop", account="shop"))
    found = await drugs.dispense(handle, number, drugs.Giving(key))
    await services.trail.close()
    await database.close()
    return found.state


def attempt(statements: int, arguments: list[str]) -> int:
    """One attempt in a child of its own; the signal that ended it, 0 when it came to its end."""
    child = os.fork()
    if not child:
        if statements:
            die_after(statements)
        asyncio.run(dispense(arguments))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def main(arguments: list[str]) -> None:
    """Attempts that die later and later, until one lives."""
    # What is read once for a process is read before the children are made.
    shipped()
    definitions.load()
    killed = 0
    for statements in range(1, _MOST, 3):
        if attempt(statements, arguments) != signal.SIGKILL:
            break
        killed += 1
    last = attempt(0, arguments)
    print(json.dumps({"killed": killed, "last": last}))


if __name__ == "__main__":
    main(sys.argv[1:])
