"""What residents close and open, as rows that the conditions of the policy read; a Consent and its rows change together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kangyun.base.database import Connection, queries
from kangyun.commons.access.decisions.consents import EVERYBODY, Box, Meaning, meaning
from kangyun.commons.access.decisions.sight import Facts
from kangyun.commons.records import StoreSession, Write, Written, key_of

sql = queries("kangyun.commons.access", "queries/consents.sql")


def among(writes: Iterable[Write | Written]) -> bool:
    """Whether a Consent is among writes, so that `after_write` must follow."""
    return any(one.type == "Consent" for one in writes)


async def after_write(connection: Connection, written: Sequence[Written]) -> None:
    """Rewrite the rows of the Consents among what was written, inside of the transaction that wrote them."""
    await refresh(connection, [one.id for one in written if one.type == "Consent"])


async def refresh(connection: Connection, ids: Sequence[str]) -> None:
    """Rewrite the rows of Consents as they stand now; of deleted ones nothing is left."""
    if not ids:
        return
    found = await StoreSession(connection).fetch_all([("Consent", one) for one in ids])
    await connection.execute(sql.forget, [key_of("Consent", one) for one in ids])
    for (_, id_), stored in found.items():
        if not stored.deleted:
            await _put(connection, key_of("Consent", id_), meaning(stored.resource))


async def withheld(connection: Connection, facts: Facts, patient_id: str) -> bool:
    """Whether something of a person is kept from a caller by consent or by class."""
    asker = (list(facts.institutions), facts.practitioner, facts.account, facts.purpose, list(facts.sensitive))
    return bool(await connection.fetchval(sql.withheld, key_of("Patient", patient_id), *asker))


async def _put(connection: Connection, key: int, said: Meaning) -> None:
    if said.closed:
        await connection.executemany(sql.close, [
            (said.resident, key, part, who, *_columns(box), sorted(box.spared) if who == EVERYBODY else [])
            for part, (who, box) in enumerate(_each(said.closed))
        ])
    if said.opened:
        await connection.executemany(sql.open, [
            (said.resident, key, part, who, *_columns(box)) for part, (who, box) in enumerate(_each(said.opened))
        ])


def _each(boxes: Sequence[Box]) -> list[tuple[int, Box]]:
    return [(who, box) for box in boxes for who in sorted(box.who)]


def _columns(box: Box) -> tuple[object, ...]:
    return (_listed(box.types), _listed(box.labels), _listed(box.purposes), box.starts, box.ends)


def _listed(found: frozenset[Any] | None) -> list[Any] | None:
    return None if found is None else sorted(found)
