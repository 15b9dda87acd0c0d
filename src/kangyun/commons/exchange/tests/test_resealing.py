"""A new key for raw messages: all of them are sealed anew, open as before, and need the old key no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.keys.sealing import key_id_of
from kangyun.base.sealing import reseal, retire
from kangyun.commons.exchange.actions import sealing

TEXT = "MSH|^~\\&|HIS|R1|KANGYUN|YUNZHOU|20260301080000+0800||ADT^A08|{0}|P|2.5\rPID|1||{0}^^^H&1.2.3&ISO^MR||周秀兰||19560304|2\r"


async def test_raw_messages_are_sealed_anew(api: httpx.AsyncClient, services: Services) -> None:
    for number in range(5):
        await api.post("/exchange/hl7v2", content=TEXT.format(f"RS{number}").encode())
    before = await _bodies(services)
    assert len(before) >= 5
    services.keys.rotate(sealing.PURPOSE)
    clock.set_source(lambda: datetime.now(UTC) + timedelta(seconds=10))
    current = services.keys.current(sealing.PURPOSE, clock.now())[0]
    done = await reseal(services.database, services.keys, sealing.PURPOSE)
    assert done is not None
    assert done.renewed == len(before)
    assert await retire(services.database, services.keys, sealing.PURPOSE)
    after = await _bodies(services)
    assert {key_id_of(body).hex() for body, _, _ in after} == {current}
    assert all(sealing.opened(services.keys, body, how, digest).startswith(b"MSH|") for body, how, digest in after)


async def _bodies(services: Services) -> list[tuple[bytes, int, bytes]]:
    async with services.database.connection() as connection:
        rows = await connection.fetch("SELECT body, sealed, content_hash FROM raw_message WHERE body IS NOT NULL ORDER BY id")
    return [(bytes(row[0]), row[1], bytes(row[2])) for row in rows]
