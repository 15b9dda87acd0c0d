"""The life of a card, by rules/card_lifecycle.yaml."""

from __future__ import annotations

from kangyun.base import rules


def next_state(state: str, event: str) -> str | None:
    """The state after an event; None when it cannot happen in this state."""
    for row in rules.load("kangyun.commons.population", "card_lifecycle.yaml").table:
        if row["state"] == state and row["event"] == event:
            return str(row["next"])
    return None


def may_follow(state: str, who: str) -> list[str]:
    """What somebody (resident or clerk) may do with a card in this state."""
    table = rules.load("kangyun.commons.population", "card_lifecycle.yaml").table
    return [str(row["event"]) for row in table if row["state"] == state and who in row["who"]]
