"""A process that follows the change feed as the platform's workers do: `python -m tests.faults.follower DSN`.

For each version of each Basic it writes one Communication that names it, so that what was missed or repeated shows.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from kangyun.app.services import open_services
from kangyun.base.reactions import Change, Reaction, run_feed
from kangyun.base.settings import Settings
from kangyun.commons.access import Write
from kangyun.commons.records import ChangeFeed

SYSTEM = "urn:followed"


async def answer(handle: Any, change: Change) -> None:
    """One commit for one change."""
    note = {
        "resourceType": "Communication", "status": "completed",
        "identifier": [{"system": SYSTEM, "value": f"{change.id}/{change.version}"}],
    }
    await handle.commit([Write("create", "Communication", note)])


async def follow(dsn: str) -> None:
    """Run until killed."""
    services = await open_services(Settings(data=Path(os.environ["PYTEST_DEBUG_TEMPROOT"]) / "follower", database_url=dsn, database_pool=4))
    reaction = Reaction("test.follower", listens={"Basic"}, writes={"Communication"}, act=answer)
    print("following", flush=True)
    await run_feed(services.database, [reaction], ChangeFeed(), services.gate.system, poll=0.1)


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1]))
