"""What a resident's pages read, always through the caller's handle."""

from __future__ import annotations

import asyncio

from kangyun.commons.access import Handle
from kangyun.commons.population import identities
from kangyun.portals.resident.decisions.life import TYPES, Node

_MOST = "200"


async def life(handle: Handle, patient_id: str) -> list[Node]:
    """The newest of what all institutions hold of a person, under all identities."""
    ids = ",".join(await identities(handle, patient_id))
    pages = await asyncio.gather(*(
        handle.search(kind, [("patient", ids), ("_count", _MOST), ("_sort", "-_lastUpdated")]) for kind in TYPES
    ))
    return [one for page in pages for one in page.resources]


async def newest(handle: Handle) -> list[Node]:
    """Residents whose record changed last, for the choice of the demonstration."""
    page = await handle.search("Patient", [("_sort", "-_lastUpdated"), ("_count", "12")])
    return [one for one in page.resources if one.get("active", True)]
