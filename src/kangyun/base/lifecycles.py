"""Life cycles as tables: what can happen in which state, who may let it happen, and what comes of it.

A rule file with the columns state, event, next and who, and where a norm says so, clause:

    table:
      - {state: signed, event: pass, next: passed, who: [pharmacist], clause: "处方管理办法 第35条"}

The state "" is that of what does not exist yet. A room's pages take their buttons from `may`, its actions the next state from
`next`, and the manual draws the diagram from the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kangyun.base import rules
from kangyun.base.errors import refuse
from kangyun.base.rules import Rule


class Lifecycle:
    """One life cycle."""

    def __init__(self, table: Iterable[Mapping[str, Any]]) -> None:
        self._next = {(str(row["state"]), str(row["event"])): (str(row["next"]), tuple(map(str, row["who"]))) for row in table}

    @property
    def states(self) -> list[str]:
        """All states, in the order in which the table names them."""
        pairs = ((state, following) for (state, _), (following, _) in self._next.items())
        return list(dict.fromkeys(state for pair in pairs for state in pair if state))

    def next(self, state: str, event: str, who: str | None = None) -> str:
        """The state after an event, for `who` (None: the room has judged that already).

        Raises Problem 409 when it cannot happen now, 403 when it is not for `who`.
        """
        following, allowed = self._next.get((state, event), ("", ()))
        if not allowed:
            raise refuse(409, "conflict", "base.not-now")
        if who is not None and who not in allowed:
            raise refuse(403, "forbidden", "base.not-yours-to-do")
        return following

    def may(self, state: str, who: str) -> list[str]:
        """The events that `who` may let happen in a state, in the order of the table."""
        return [event for (at, event), (_, allowed) in self._next.items() if at == state and who in allowed]


# With the rule that each was made of: another day, or another region, may have another one.
_made: dict[tuple[str, str], tuple[Rule, Lifecycle]] = {}


def load(package: str, file: str = "lifecycle.yaml") -> Lifecycle:
    """The life cycle of a room's rule file."""
    rule = rules.load(package, file)
    kept = _made.get((package, file))
    if kept is None or kept[0] is not rule:
        kept = _made[package, file] = (rule, Lifecycle(rule.table))
    return kept[1]


def check_example(rule: Rule, given: Any) -> Any:
    """Judge an example {state, event, who}: the next state, or refused."""
    following = {(row["state"], row["event"]): row for row in rule.table}
    row = following.get((given["state"], given["event"]))
    if row is None or ("who" in given and given["who"] not in row["who"]):
        return "refused"
    return row["next"]
