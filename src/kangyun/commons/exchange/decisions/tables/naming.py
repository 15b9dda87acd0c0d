"""What the name of a file tells of a spreadsheet: its sender and its kind."""

from __future__ import annotations

import re

from kangyun.commons.exchange.decisions.tables.kinds import kinds

SUFFIXES = {".csv", ".tsv", ".xlsx", ".dbf", ".xlsm", ".xls"}
_SENDER = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,30})_")


def sender_in(name: str) -> str | None:
    """The sender at the beginning of a file's name, as in `YZC0107_register_2026.xlsx`."""
    match = _SENDER.match(name)
    return match[1] if match else None


def kind_in(name: str) -> str:
    """The kind of sheet that words of a file's name tell; empty when none or several do."""
    named = [one.name for one in kinds().values() if any(word in name.lower() for word in one.hints)]
    return named[0] if len(named) == 1 else ""


def turn_of(name: str) -> int:
    """The place of a file among those of one batch, by the kind that its name tells."""
    kind = kind_in(name)
    return kinds()[kind].turn if kind else 1


def shown(kind: str) -> str:
    """How a spreadsheet's kind stands among the messages."""
    return f"table/{kind}" if kind else "table"
