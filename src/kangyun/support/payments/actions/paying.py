"""Paying: an order is put before a channel, which may be asked at any time how it stands; and nobody pays twice for long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog

from kangyun.base import clock, jobs, lifecycles, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.money import Fen
from kangyun.base.settings import Settings
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.payments.actions.confirming import confirm
from kangyun.support.payments.actions.orders import changed_to, end, outdated
from kangyun.support.payments.actions.standing import Case, Parts, case, unknown
from kangyun.support.payments.decisions.orders import look_after
from kangyun.support.payments.gateways.channels import channels
from kangyun.support.payments.model import (
    PACKAGE,
    Channel,
    Order,
    PayLink,
    Payment,
    Refused,
    Scene,
    Seen,
    Unreachable,
    Visit,
)
from kangyun.support.payments.queries.orders import lock, order_of, payment_of, payments_of, sql

log = structlog.get_logger()

_OVER = {"cancelled": "payments.is-cancelled", "expired": "payments.is-expired", "outdated": "payments.price-changed", "refunded": "payments.is-refunded"}


async def pay(
    services: Parts, handle: Handle, order_id: str, channel: str, scene: Scene = "phone", *, total_fen: Fen | None = None, address: str = "",
) -> PayLink:
    """Put an order before a channel and give what the payer opens or scans; again gives the same link while it is good.

    handle: of the payer, or of the platform when a room has judged for whom. total_fen: what the payer was shown. address:
    of the payer's device. An order that is paid already is answered as such. Raises Problem 404 for what is not the
    payer's, 409 when it cannot be paid (any more) or a price has changed, 503 when the channel does not answer.
    """
    found = await case(handle, order_id, "payer", "platform")
    if found.order.state == "paid":
        return _paid(found.order)
    via = _channel(services.settings, channel)
    await _check(services, found, total_fen)
    payment = await _begun(found, via.name, scene)
    if payment is None:
        return _paid(await _order(found.handle, order_id))
    link = payment.link or await _ask_link(services, found, via, payment, address)
    return PayLink(order_id, payment.id, via.name, payment.scene, link, "paying", payment.expires)


def _paid(order: Order) -> PayLink:
    return PayLink(order.id, "", "", "", "", order.state, order.expires)


def _channel(settings: Settings, name: str) -> Channel:
    via = channels(settings).get(name)
    if via is None:
        raise refuse(422, "value", "payments.no-channel", "channel")
    return via


async def _check(services: Parts, found: Case, total_fen: Fen | None) -> None:
    order = found.order
    if order.state in _OVER:
        raise refuse(409, "conflict", _OVER[order.state])
    if clock.now() >= order.expires:
        raise refuse(409, "conflict", "payments.is-expired")
    if total_fen is not None and total_fen != order.total_fen:
        raise refuse(409, "conflict", "payments.price-changed", "total")
    if await outdated(services.gate.system("payments.quote"), order):
        await stop(services, order.id, "outdate", "platform", reason="price")
        raise refuse(409, "conflict", "payments.price-changed", "lineItem")


async def _begun(found: Case, channel: str, scene: str) -> Payment | None:
    """The payment to put before the channel: the last one while it can be used, else a new one; None when it is paid."""
    made: list[Payment | None] = []

    async def begin(session: Transaction) -> Sequence[Write]:
        locked = await lock(session.connection, found.order.id)
        assert locked is not None
        order = locked.order
        if order.state == "paid":
            made.append(None)
            return ()
        state = lifecycles.load(PACKAGE).next(order.state, "pay", found.who)
        usable = [one for one in locked.payments if (one.channel, one.scene, one.state) == (channel, scene, "asked")]
        made.append(usable[-1] if usable else await _new(session, order, f"{order.id}{len(locked.payments) + 1:02}", (channel, scene)))
        return await changed_to(session, locked, state) if state != order.state else ()

    await found.handle.commit([], beside=begin)
    return made[0]


async def _new(session: Transaction, order: Order, id_: str, way: tuple[str, str]) -> Payment:
    now = clock.now()
    look = now + timedelta(seconds=look_after(0))
    await session.connection.execute(sql.begin, order.resident, id_, order.id, *way, order.total_fen, now, order.expires, look)
    return Payment(order.resident, id_, order.id, *way, "asked", order.total_fen, "", "", now, order.expires)


async def _ask_link(services: Parts, found: Case, via: Channel, payment: Payment, address: str) -> str:
    settings = services.settings
    back = f"{_base(settings)}/payments/orders/{payment.order}"
    visit = Visit(web.translate("zh", "payments.about"), notify_address(settings, via.name), back, address)
    try:
        link = await via.begin(payment, visit)
    except Unreachable:
        raise away() from None
    except Refused as refused:
        log.warning("payments.begin-refused", name_of=via.name, reason=refused.code)
        raise refuse(409, "conflict", "payments.channel-refused", reason=refused.code) from None
    async with found.handle.connection() as connection:
        await connection.execute(sql.keep_link, payment.resident, payment.id, link)
    return link


def notify_address(settings: Settings, channel: str) -> str:
    """Where a channel sends its notices."""
    return f"{_base(settings)}/payments/notices/{channel}"


def _base(settings: Settings) -> str:
    return settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"


def away() -> Problem:
    """The channel does not answer."""
    return refuse(503, "transient", "payments.channel-away")


async def ask(services: Parts, handle: Handle, order_id: str) -> Order:
    """The order after the channels were asked about every payment that is under way; what cannot be asked stays as it is."""
    found = await case(handle, order_id, "payer", "clerk", "platform")
    async with handle.connection() as connection:
        under_way = [one for one in await payments_of(connection, order_id) if one.state == "asked"]
    for payment in under_way:
        try:
            await look(services, payment)
        except (Unreachable, Refused):
            continue
    return await _order(found.handle, order_id) if under_way else found.order


async def look(services: Parts, payment: Payment) -> str:
    """Ask the channel about one payment and believe it; its state then. Raises Unreachable and Refused."""
    via = channels(services.settings).get(payment.channel)
    if via is None:
        raise Refused("NO_CHANNEL")
    seen = await via.query(payment)
    if seen.state in {"unpaid", "unknown"} and clock.now() >= payment.expires:
        seen = await via.close(payment)
    return await _believe(services, payment, seen)


async def _believe(services: Parts, payment: Payment, seen: Seen) -> str:
    if seen.state == "paid":
        await confirm(services.gate.system("payments.look"), payment.id, seen, asked=True)
    elif seen.state == "closed":
        async with services.database.connection() as connection:
            await connection.execute(sql.payment_closed, payment.resident, payment.id)
    return seen.state


async def close(services: Parts, payment: Payment) -> str:
    """Close a payment at its channel; its state then: closed, or paid when it was too late. Raises Unreachable and Refused."""
    via = channels(services.settings).get(payment.channel)
    if via is None:
        raise Refused("NO_CHANNEL")
    return await _believe(services, payment, await via.close(payment))


async def stop(services: Parts, order_id: str, event: str, who: str, reason: str = "") -> str:
    """End an order by cancel, expire or outdate, after every payment of it is closed at its channel; the state then.

    Raises Problem 409 when it turns out to be paid, 503 when a channel does not answer.
    """
    async with services.database.connection() as connection:
        under_way = [one for one in await payments_of(connection, order_id) if one.state == "asked"]
    for payment in under_way:
        try:
            state = await close(services, payment)
        except (Unreachable, Refused) as error:
            raise away() from error
        if state == "paid":
            raise refuse(409, "conflict", "payments.is-paid")
    return await end(services.gate.system("payments.end"), order_id, event, who, reason)


async def cancel(services: Parts, handle: Handle, order_id: str) -> str:
    """Cancel an order that is not paid; its state then. Raises Problem 404, 409 and 503 as `stop`."""
    found = await case(handle, order_id, "payer", "clerk", "platform")
    lifecycles.load(PACKAGE).next(found.order.state, "cancel", found.who)
    return await stop(services, order_id, "cancel", found.who)


@jobs.job("payments.close", tries=12)
async def close_other(services: Parts, payload: dict[str, Any]) -> None:
    """Close at its channel a payment that an order needs no more, so that nobody pays twice."""
    async with services.database.connection() as connection:
        payment = await payment_of(connection, str(payload["payment"]))
    if payment is not None and payment.state == "asked":
        await close(services, payment)


async def _order(handle: Handle, order_id: str) -> Order:
    async with handle.connection() as connection:
        found = await order_of(connection, order_id)
    if found is None:
        raise unknown()
    return found
