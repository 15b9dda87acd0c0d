"""The order of a run: whole files, those that take long first, so that no worker begins a long one when the others are done."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent
# Files over one world that takes long to build; in one worker they build it once.
_TOGETHER = {
    f"tests/journeys/{name}.py": "tests/journeys"
    for name in ("test_money_and_medicine_stay_together", "test_hypertension_from_home", "test_manual")
}


class WholeFiles(LoadFileScheduling):
    """Hands out files as they were collected, and some files together."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return _TOGETHER.get(file, file)


def scheduler(config: pytest.Config, log: Producer) -> WholeFiles:
    """What pytest-xdist distributes by."""
    # Not by their number of tests: the slowest files have few.
    config.option.loadscopereorder = False
    return WholeFiles(config, log)


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The same tests, by the time that their files take."""
    return sorted(items, key=lambda item: -_seconds().get(_scope(item), 0))


def _scope(item: pytest.Item) -> str:
    file = item.nodeid.partition("::")[0]
    return _TOGETHER.get(file, file)


@cache
def _seconds() -> dict[str, int]:
    """About how long those files take that take long; one that is not in the list comes after them."""
    lines = (ROOT / "tests" / "longest.txt").read_text("utf-8").splitlines()
    return {file: int(seconds) for seconds, _, file in (line.partition(" ") for line in lines)}
