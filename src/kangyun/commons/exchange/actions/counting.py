"""Statistics by sender and hour, counted by a job whenever messages of an hour have changed; and who fell silent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Gauge

from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.base.jobs import every
from kangyun.commons.exchange.decisions import quality, registrations, silence
from kangyun.commons.exchange.queries import senders

log = structlog.get_logger()

SILENT = Gauge("kangyun_exchange_silent_senders", "Senders that should have sent something and did not.")
HELD = Gauge("kangyun_exchange_held_messages", "Messages in quarantine, or waiting for their next try.", ["state"])

# A result is visible a little later than the time that is written in it.
_OVERLAP = timedelta(minutes=2)


@every("exchange.count", seconds=60)
async def count(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job; `services` has the database."""
    await count_hours(services.database)
    await listen_for_silence(services.database)


async def count_hours(database: Database) -> int:
    """Count every hour anew in which a message arrived or changed since the last time; returns how many."""
    now = clock.now()
    late = timedelta(hours=quality.rule().value["on_time_hours"])
    async with database.connection() as connection:
        mark: datetime = await connection.fetchval(senders.sql.mark)
        since = mark - _OVERLAP if mark.year > 1 else mark
        hours = [row["hour"] for row in await connection.fetch(senders.sql.touched, since)]
        for hour in hours:
            await connection.execute(senders.sql.count_hour, hour, late, now)
        await connection.execute(senders.sql.set_mark, now)
    return len(hours)


async def listen_for_silence(database: Database) -> list[str]:
    """Note who fell silent and who is heard again; returns the senders that are silent now."""
    now = clock.now()
    async with database.connection() as connection:
        heard = await senders.heard(connection)
        habits = await senders.habits(connection, now - timedelta(weeks=silence.rule().value["weeks"]), now)
        before = {one.sender_key: one for one in await senders.silences(connection)}
        silent: list[str] = []
        for key, (sender, first, latest) in heard.items():
            rates = _rates(sender, habits.get(key), first, now)
            if rates is not None and silence.is_silent(rates, latest, now):
                silent.append(sender)
                await _fell_silent(connection, key, sender, latest, silence.expected(rates, latest, now))
            elif key in before:
                await connection.execute(senders.sql.heard_again, key, now)
                log.info("exchange.heard_again", key=key)
    SILENT.set(len(silent))
    return silent


def _rates(sender: str, habit: senders.Habit | None, first: datetime, now: datetime) -> list[float] | None:
    agreed = silence.agreed(registrations.registered(sender))
    if agreed is not None or habit is None:
        return agreed
    return silence.usual(habit.counts, first, now)


async def _fell_silent(connection: Connection, key: int, sender: str, latest: datetime, expected: float) -> None:
    await connection.execute(senders.sql.fell_silent, key, latest, sender, expected, clock.now())
    log.warning("exchange.silent", key=key)
