"""How long somebody who has proved to be there counts as being there: pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from kangyun.base.rules import Rule, load


def holds() -> timedelta:
    """How long a proof holds for the thing that it was given for."""
    return timedelta(minutes=int(load("kangyun.commons.access", "presence.yaml").value))


def check_example(rule: Rule, given: Mapping[str, Any]) -> bool:
    """Whether a proof of so many minutes ago holds."""
    return bool(given["minutes"] < rule.value)
