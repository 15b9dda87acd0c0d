"""What the doctor's page reads, always through the caller's handle, which judges and audits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from kangyun.base.errors import Issue, Problem
from kangyun.portals.clinician.decisions.naming import Node, names_of, reference_targets
from kangyun.portals.clinician.decisions.people import distinct, is_number, linked

_FEW = 20
_PAGE = "500"
_MOST_PAGES = 12
_NAMED = ("Organization/", "Practitioner/")


class Found(Protocol):
    """A page of search results."""

    resources: list[dict[str, Any]]
    next: str | None


class Handle(Protocol):
    """The part of the gate's handle that this portal uses."""

    async def read(self, type_: str, id_: str, /) -> dict[str, Any] | None:
        """Read one resource."""
        ...

    async def search(self, type_: str, query: str | Sequence[tuple[str, str]], /) -> Any:
        """Search a type."""
        ...


async def patient(handle: Handle, patient_id: str) -> Node:
    """Read a resident.

    Raises ``Problem(404)`` when there is none.
    """
    found = await handle.read("Patient", patient_id)
    if found is None:
        raise Problem(404, Issue("not-found", "clinician.no-resident"))
    return found


async def find(handle: Handle, text: str) -> list[Node]:
    """Find residents by the beginning of a name, pinyin or initials, or by a whole identity, card or telephone number."""
    wanted = text.strip()
    if is_number(wanted):
        plain = wanted.replace(" ", "").upper()
        searches = [[("identifier", plain)], [("phone", plain)], [("identifier", wanted)]]
    else:
        searches = [[("name", " ".join(wanted.split()))]]
    pages = await asyncio.gather(*(handle.search("Patient", [*one, ("_count", str(_FEW))]) for one in searches))
    return distinct(resource for page in pages for resource in page.resources)[:_FEW]


async def newest(handle: Handle) -> list[Node]:
    """List the residents whose record changed last."""
    page = await handle.search("Patient", [("_sort", "-_lastUpdated"), ("_count", "8")])
    return distinct(page.resources)


async def known(handle: Handle, ids: Iterable[str]) -> list[Node]:
    """Read residents by id, in the order given, leaving out who is gone."""
    found = await asyncio.gather(*(handle.read("Patient", one) for one in ids))
    return [one for one in found if one is not None]


async def record(handle: Handle, patient_id: str, types: Iterable[str]) -> list[Node]:
    """Read all resources of some types that belong to a resident, under whichever number they were written."""
    ids = ",".join(await identities(handle, patient_id))
    lists = await asyncio.gather(*(_all(handle, kind, [("patient", ids), ("_count", _PAGE)]) for kind in types))
    return [resource for found in lists for resource in found]


async def identities(handle: Handle, patient_id: str) -> list[str]:
    """List a resident's id and those of the records that were merged into it, however often."""
    found = [patient_id]
    for one in found:
        known = await handle.read("Patient", one)
        found += [other for other in linked(known or {}, "replaces") if other not in found]
    return found


async def _all(handle: Handle, kind: str, query: Sequence[tuple[str, str]]) -> list[Node]:
    page = await handle.search(kind, query)
    found: list[Node] = list(page.resources)
    for _ in range(_MOST_PAGES):
        if not page.next:
            break
        page = await handle.search(kind, page.next)
        found.extend(page.resources)
    return found


async def names(handle: Handle, resources: Iterable[Node]) -> dict[str, str]:
    """Look up the names of the institutions and staff that resources refer to without naming them."""
    targets = reference_targets(resources, _NAMED)
    wanted = {kind: sorted(one.split("/")[1] for one in targets if one.startswith(kind)) for kind in _NAMED}
    lists = await asyncio.gather(*(_all(handle, kind[:-1], [("_id", ",".join(ids[:_FEW * 10])), ("_count", _PAGE)]) for kind, ids in wanted.items() if ids))
    return names_of(resource for found in lists for resource in found)


async def senders(handle: Handle, resources: Iterable[Node]) -> dict[str, str]:
    """Learn from Provenance which institution sent resources that do not say so themselves: reference -> its name."""
    wanted = [f"{one['resourceType']}/{one['id']}" for one in resources]
    if not wanted:
        return {}
    page = await handle.search("Provenance", [("target", ",".join(wanted[:_FEW])), ("_count", _PAGE)])
    found: dict[str, str] = {}
    for one in page.resources:
        who = next((agent["who"].get("display", "") for agent in one.get("agent", []) if "who" in agent), "")
        found.update({target["reference"]: who for target in one.get("target", []) if who and target.get("reference") in wanted})
    return found


async def binary(handle: Handle, url: str) -> Node | None:
    """Read the Binary that an attachment points to, when it is one of ours."""
    kind, _, found = url.partition("/")
    return await handle.read("Binary", found) if kind == "Binary" and found else None
