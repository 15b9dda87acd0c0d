"""What a doctor prescribes again and again: it is learnt from what is signed, and can be forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from kangyun.base import clock
from kangyun.commons.access import Handle
from kangyun.support.drugs.model import Line
from kangyun.support.drugs.queries.prescriptions import sql

_MOST = 16


async def remember(handle: Handle, lines: Iterable[Line]) -> None:
    """Keep lines as the doctor's own way to prescribe them; what is about one patient stays out."""
    if handle.actor.practitioner:
        plain = [replace(line, confirmed="", skin_test="", remark="") for line in lines]
        async with handle.connection() as connection:
            await connection.executemany(sql.put_favourite, [
                (handle.actor.practitioner, line.code, json.dumps(asdict(line), ensure_ascii=False), clock.now()) for line in sorted(plain, key=lambda one: one.code)])


async def favourites(handle: Handle) -> list[Line]:
    """The doctor's favourites, the most used first."""
    async with handle.connection() as connection:
        rows = await connection.fetch(sql.favourites, handle.actor.practitioner or "", _MOST)
    told: list[dict[str, Any]] = [json.loads(row["line"]) for row in rows]
    return [Line(**one) for one in told]


async def forget(handle: Handle, code: str) -> None:
    """Take a drug out of the favourites."""
    async with handle.connection() as connection:
        await connection.execute(sql.drop_favourite, handle.actor.practitioner or "", code)
