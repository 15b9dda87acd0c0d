"""Nothing is left hanging: what a channel said nothing of is asked for, what nobody paid in time ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import structlog

from kangyun.base import clock, jobs
from kangyun.base.errors import Problem
from kangyun.support.payments.actions import paying, refunds
from kangyun.support.payments.actions.standing import Parts
from kangyun.support.payments.decisions.orders import terms
from kangyun.support.payments.model import Payment, Refused, Unreachable
from kangyun.support.payments.queries.orders import payment, sql

log = structlog.get_logger()

_AT_ONCE = 8
_MOST = 200
_DAYS_OF_NOTICES = 180


@jobs.every("payments.look", seconds=5)
async def look(services: Parts, payload: dict[str, Any]) -> None:
    """Ask the channels about payments and refunds that are due, and end orders whose time is over."""
    del payload
    await _each("payment", await _due(services, sql.due_payments), lambda row: _look(services, payment(row)))
    await _each("refund", await _due(services, sql.due_refunds), lambda row: refunds.push(services, str(row["id"])))
    async with services.database.connection() as connection:
        over = await connection.fetch(sql.due_orders, clock.now(), _MOST)
    await _each("order", over, lambda row: _expire(services, str(row["id"])))


async def _due(services: Parts, statement: str) -> list[Any]:
    """What is due; it is due again later, so that a worker that dies forgets nothing."""
    limits = terms()
    async with services.database.connection() as connection:
        return await connection.fetch(statement, clock.now(), _MOST, float(limits.longest_look), float(limits.first_look))


async def _look(services: Parts, one: Payment) -> None:
    await paying.look(services, one)


async def _expire(services: Parts, order_id: str) -> None:
    await paying.stop(services, order_id, "expire", "platform")


async def _each(kind: str, rows: Iterable[Any], act: Callable[[Any], Awaitable[None]]) -> None:
    """Some at once; what fails is asked again later, and keeps nobody else from being asked."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(row: Any) -> None:
        async with turn:
            try:
                await act(row)
            except (Unreachable, Refused, Problem) as error:
                log.info("payments.look-later", type=kind, error=type(error).__name__)

    await asyncio.gather(*(one(row) for row in rows))


@jobs.every("payments.forget", seconds=86_400)
async def forget(services: Parts, payload: dict[str, Any]) -> None:
    """Forget the verdicts on old notices of channels, which anybody may have sent."""
    del payload
    async with services.database.connection() as connection:
        await connection.execute(sql.forget_channel_notices, clock.now() - timedelta(days=_DAYS_OF_NOTICES))
