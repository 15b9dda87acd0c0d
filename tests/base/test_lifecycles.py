"""Life cycles as tables: what can happen, who may let it happen."""

from __future__ import annotations

import pytest

from kangyun.base import lifecycles
from kangyun.base.errors import Problem

ROOM, FILE = "kangyun.commons.population", "card_lifecycle.yaml"


def test_an_event_leads_to_the_next_state() -> None:
    assert lifecycles.load(ROOM, FILE).next("active", "freeze", "resident") == "frozen"


def test_what_cannot_happen_now_is_a_conflict() -> None:
    with pytest.raises(Problem) as refused:
        lifecycles.load(ROOM, FILE).next("lost", "unfreeze", "resident")
    assert refused.value.status == 409


def test_what_is_for_others_is_forbidden() -> None:
    with pytest.raises(Problem) as refused:
        lifecycles.load(ROOM, FILE).next("active", "replace", "resident")
    assert refused.value.status == 403


def test_buttons_are_what_the_person_may_do() -> None:
    life = lifecycles.load(ROOM, FILE)
    assert life.may("active", "resident") == ["freeze", "report_lost"]
    assert life.states == ["active", "frozen", "lost", "joined", "ended"]
