"""What people read instead of the trail's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kangyun.base.rules import Rule, load
from kangyun.commons.access.decisions.policy import role_titles

_ROOM = "kangyun.commons.access"


def action_title(action: str, language: str) -> str:
    """What was done, word by word."""
    between = "、" if language == "zh" else ", "
    return between.join(_title(load(_ROOM, "audit_actions.yaml"), word, language) for word in action.split())


def actions_known() -> Mapping[str, Mapping[str, str]]:
    """All words of the trail with their titles."""
    return load(_ROOM, "audit_actions.yaml").map


def purposes_known() -> frozenset[str]:
    """The purposes that have a name in pages.yaml."""
    return frozenset([*load(_ROOM, "audit_purposes.yaml").map, "login"])


def role_title(role: str, language: str) -> str:
    """What people call a role."""
    return role_titles().get(role, {}).get(language) or role


def check_example(rule: Rule, given: Mapping[str, Any]) -> str:
    """The title of a word."""
    return _title(rule, given["word"], given["language"])


def _title(rule: Rule, word: str, language: str) -> str:
    return rule.map.get(word, {}).get(language, word)
