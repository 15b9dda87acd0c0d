"""What was signed is not written over, and a signature of ours is not written beside something else."""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base.database import Connection, queries
from kangyun.base.errors import refuse
from kangyun.commons.access.decisions.signing import key_ids, signable
from kangyun.commons.records import Write, key_of

sql = queries("kangyun.commons.access", "queries/signing.sql")


def concerns(writes: Sequence[Write]) -> bool:
    """Whether `guard` must look at writes: something is changed, or somebody brings a signature."""
    return any(one.type == "Provenance" or (one.method != "create" and one.type in signable()) for one in writes)


async def guard(connection: Connection, writes: Sequence[Write]) -> None:
    """Judge the writes of everybody but the platform's own work, inside of the transaction, before they happen.

    Raises Problem: 409 when something signed would change, 422 when a signature of the platform is written by somebody
    else: it was copied from where it belongs, because the platform writes its own.
    """
    changed = [(one.type, one.id or str((one.resource or {}).get("id", ""))) for one in writes if one.method != "create"]
    if changed and await connection.fetchval(
        sql.signed_among, [key_of(*name) for name in changed], [id_ for type_, id_ in changed if type_ == "Provenance"]
    ):
        raise refuse(409, "conflict", "access.signed")
    keys = [key for one in writes if one.type == "Provenance" for key in key_ids(one.resource or {})]
    if keys and await connection.fetchval(sql.known_keys, keys):
        raise refuse(422, "security", "access.signature-replayed", "Provenance.signature")
