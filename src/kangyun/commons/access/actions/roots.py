"""Once a day the ends of all lanes are signed, with SM2 and ES256, as the root of that day."""

from __future__ import annotations

from datetime import time, timedelta, timezone
from typing import Any

import structlog

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.jobs import every
from kangyun.base.keys import KeyStore, verify
from kangyun.commons.access.actions.lane import HEAD_KEY, sql
from kangyun.commons.access.decisions.examining import ROOT_ACTION, Checks, Root, root_body, root_hash
from kangyun.commons.access.decisions.trail import START
from kangyun.commons.access.model import Event

log = structlog.get_logger()

SM2_KEY = "audit-root-sm2"
ES256_KEY = "audit-root-es256"
_CHINA = timezone(timedelta(hours=8))


@every("audit.root", at=time(0, 5))
async def make_root(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job: sign the ends of all lanes; `services` has database, keys and trail."""
    async with services.database.transaction() as connection:
        root = await sign_heads(connection, services.keys)
    # The trail itself tells of its root, so that a root which is taken away is missed.
    services.trail.note(Event(
        clock.now(), "audit.root", "system", ROOT_ACTION, purpose="operations",
        more=f"{root.number} {root_hash(root.body).hex()}"))
    await services.trail.settled()
    log.info("audit.root", number=root.number)


async def sign_heads(connection: Connection, keys: KeyStore) -> Root:
    """Make the next root, in the caller's transaction."""
    last = await connection.fetchrow(sql.newest_root)
    number, before = (last["number"] + 1, root_hash(last["body"])) if last else (1, START)
    heads = {row["lane"]: (row["seq"], row["hash"]) for row in await connection.fetch(sql.heads) if row["seq"]}
    now = clock.now()
    body = root_body(number, now.astimezone(_CHINA).date(), clock.instant(now), before, heads)
    text = body.encode()
    root = Root(number, now.astimezone(_CHINA).date(), body, keys.sign(SM2_KEY, text), keys.sign(ES256_KEY, text))
    await connection.execute(sql.add_root, root.number, root.day, root.body, root.sm2, root.es256)
    return root


def checks(keys: KeyStore) -> Checks:
    """What an examination asks of the keys."""
    sm2, es256 = keys.public(SM2_KEY), keys.public(ES256_KEY)

    def signed(root: Root) -> bool:
        text = root.body.encode()
        return any(verify(key, text, root.sm2) for key in sm2) and any(verify(key, text, root.es256) for key in es256)

    return Checks(lambda text: keys.mac(HEAD_KEY, text), signed)
