"""Loading a region's own list of drugs: all of it or nothing, and the catalogue published as FHIR resources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.commons.exchange import table_of
from kangyun.support.drugs.decisions import listing
from kangyun.support.drugs.decisions.resources import resources
from kangyun.support.drugs.model import Drug
from kangyun.support.drugs.queries.known import catalogue, forget, sql

CATALOGUE = "drugs.catalogue"
_MOST_TOLD = 20
_PAGE = 200


async def load(handle: Handle, body: bytes, file: str) -> int:
    """Take a file (CSV, XLSX) as the region's own list instead of the one before; returns how many drugs it holds.

    Raises Problem: 403; 422 naming row and heading of what is wrong, and then nothing has changed.
    """
    own = handle.acting(CATALOGUE, CATALOGUE, writes="MedicationKnowledge")
    read = listing.read(table_of(body, file), listing.shipped_rows())
    if read.wrong:
        told = "; ".join(f"{one.row}: {one.field}" for one in read.wrong[:_MOST_TOLD])
        raise refuse(422, "value", "drugs.list-wrong", count=str(len(read.wrong)), rows=told)

    async def beside(session: Transaction) -> Sequence[Write]:
        connection = session.connection
        await connection.execute(sql.hold)
        await connection.execute(sql.clear)
        await connection.execute(sql.put, [str(row["code"]) for row in read.rows], [orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS).decode() for row in read.rows])
        await connection.execute(sql.note, clock.now(), handle.actor.name, file[:200], len(read.rows))
        return []

    await own.commit([], beside=beside)
    forget(handle.database)
    await publish(own, read.drugs)
    return len(read.rows)


async def publish(own: Handle, drugs: Sequence[Drug] | None = None) -> int:
    """Write the catalogue (or some drugs of it) as Medication and MedicationKnowledge; what stands there already is left.

    Returns how many resources were written. `own` is the platform's handle.
    """
    found = drugs if drugs is not None else list((await catalogue(own)).drugs.values())
    written = 0
    for start in range(0, len(found), _PAGE):
        wanted = [one for drug in found[start : start + _PAGE] for one in resources(drug)]
        writes = [write for one in wanted if (write := await _changed(own, one))]
        if writes:
            await own.commit(writes)
        written += len(writes)
    return written


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Compared as they are written: a decimal that was read is no Decimal that was made."""
    return fhir_json.loads(fhir_json.dumps(one)) == fhir_json.loads(fhir_json.dumps(other))


async def _changed(own: Handle, wanted: dict[str, Any]) -> Write | None:
    kept = await own.read(wanted["resourceType"], wanted["id"])
    if kept is not None and _same({name: value for name, value in kept.items() if name != "meta"}, wanted):
        return None
    return Write("update", wanted["resourceType"], wanted, wanted["id"])
