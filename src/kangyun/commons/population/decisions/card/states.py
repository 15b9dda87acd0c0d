"""The life of a card, by rules/card_lifecycle.yaml."""

from __future__ import annotations

from kangyun.base import lifecycles
from kangyun.base.errors import Problem

_PACKAGE, _FILE = "kangyun.commons.population", "card_lifecycle.yaml"


def next_state(state: str, event: str) -> str | None:
    """The state after an event; None when it cannot happen in this state."""
    try:
        return lifecycles.load(_PACKAGE, _FILE).next(state, event)
    except Problem:
        return None


def may_follow(state: str, who: str) -> list[str]:
    """What somebody (resident or clerk) may do with a card in this state."""
    return lifecycles.load(_PACKAGE, _FILE).may(state, who)
