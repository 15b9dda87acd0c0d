"""Notices of channels: they come twice, late, out of order, with the wrong amount, or from somebody else.

Nothing is believed before its signature is checked, and what is believed goes the one way of `confirming` and `refunds`,
where a repetition changes nothing. Every notice leaves a row with what it was taken for.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import structlog

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.support.payments.actions.confirming import confirm
from kangyun.support.payments.actions.refunds import finish
from kangyun.support.payments.actions.standing import Parts
from kangyun.support.payments.gateways.channels import channels
from kangyun.support.payments.model import Answer, Channel, ChannelNotice, Forged, Seen, SeenRefund
from kangyun.support.payments.queries.orders import sql

log = structlog.get_logger()

_GOOD = {"taken", "repeated", "nothing"}


async def take(services: Parts, channel: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Take a notice, and give what its channel wants to hear; it hears good only for what is durable. Raises Problem 404."""
    via = channels(services.settings).get(channel)
    if via is None:
        raise refuse(404, "not-found", "payments.no-channel")
    told, verdict = _read(via, headers, body)
    if told is not None:
        verdict = await _believe(services.gate.system("payments.notice"), told)
    await _note(services, channel, verdict, told.about if told else "", body)
    if verdict == "forged":
        return Answer(401, via.answer(good=False).body, via.answer(good=False).media_type)
    return via.answer(good=verdict in _GOOD)


def _read(via: Channel, headers: Mapping[str, str], body: bytes) -> tuple[ChannelNotice | None, str]:
    try:
        return via.notice(headers, body), ""
    except Forged as forged:
        log.warning("payments.notice-refused", name_of=via.name, reason=forged.reason)
        return None, "forged"


async def _believe(handle: Handle, told: ChannelNotice) -> str:
    seen = told.seen
    if isinstance(seen, Seen):
        return await confirm(handle, told.id, seen) if seen.state == "paid" else "nothing"
    assert isinstance(seen, SeenRefund)
    return await finish(handle, told.id, seen)


async def _note(services: Parts, channel: str, verdict: str, about: str, body: bytes) -> None:
    async with services.database.connection() as connection:
        await connection.execute(sql.note_channel, clock.now(), channel, verdict, about, sha256(body).digest())
