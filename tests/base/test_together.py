"""Requests that share a statement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from kangyun.base.database.together import Together


async def test_what_arrives_while_the_work_goes_on_goes_together_and_each_gets_its_own_answer() -> None:
    groups: list[int] = []

    async def double(asked: Sequence[int]) -> list[int]:
        groups.append(len(asked))
        await asyncio.sleep(0.01)
        return [2 * one for one in asked]

    together = Together(double)
    assert await asyncio.gather(*(together.ask(n) for n in range(20))) == [2 * n for n in range(20)]
    assert len(groups) < 20
    assert sum(groups) == 20
    assert await together.ask(7) == 14
    assert groups[-1] == 1


async def test_a_fault_reaches_everybody_in_the_group_and_nobody_else() -> None:
    async def refuse_odd(asked: Sequence[int]) -> list[int]:
        if any(one % 2 for one in asked):
            raise ValueError("odd")
        return list(asked)

    together = Together(refuse_odd)
    with pytest.raises(ValueError, match="odd"):
        await together.ask(1)
    assert await together.ask(2) == 2


async def test_a_caller_who_leaves_takes_nobody_along() -> None:
    async def slowly(asked: Sequence[int]) -> list[int]:
        await asyncio.sleep(0.02)
        return list(asked)

    together = Together(slowly)
    leaving, staying = asyncio.create_task(together.ask(1)), asyncio.create_task(together.ask(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 2


async def test_who_asks_again_the_moment_all_are_done_is_answered_too() -> None:
    done = asyncio.Event()

    async def wait(asked: Sequence[int]) -> list[int]:
        await done.wait()
        return list(asked)

    async def twice() -> int:
        return await together.ask(1) + await together.ask(1)

    together = Together(wait)
    # Two statements are under way, as many as there may be, and end in the same moment.
    first = asyncio.create_task(twice())
    await asyncio.sleep(0.01)
    second = asyncio.create_task(together.ask(2))
    await asyncio.sleep(0.01)
    done.set()
    assert await asyncio.wait_for(asyncio.gather(first, second), 10) == [2, 2]
