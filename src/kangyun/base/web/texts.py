"""Page texts in Chinese and English, side by side in each room's ``locale/pages.yaml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from string import Formatter
from typing import Any

import yaml

from kangyun.base.web.places import page_texts
from kangyun.base.web.preferences import LANGUAGES

Phrase = str | Mapping[str, str]
"""One text, or its English forms ``{one: ..., other: ...}`` chosen by the parameter ``n``."""


@cache
def phrases() -> dict[str, dict[str, Phrase]]:
    """Load all page texts: message key -> language -> phrase."""
    return {key: entry for _, key, entry in _entries()}


def _entries() -> Iterator[tuple[str, str, dict[str, Phrase]]]:
    for room, path in page_texts().items():
        loaded: dict[str, dict[str, Phrase]] = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader) or {}
        for key, entry in loaded.items():
            yield room, key, entry


def translate(language: str, key: str, **params: Any) -> str:
    """Return the text of ``key`` in ``language`` with ``{name}`` replaced by ``params``; an unknown key shows itself."""
    entry = phrases().get(key)
    if entry is None:
        return key
    phrase = entry[language]
    if not isinstance(phrase, str):
        phrase = phrase["one" if params.get("n") == 1 else "other"]
    return phrase.format_map(params) if params else phrase


def knows(key: str) -> bool:
    """Say whether a text with this key exists."""
    return key in phrases()


def text_problems() -> list[str]:
    """List what is wrong inside the text files: a missing language, unequal parameters, a key of another room."""
    found: list[str] = []
    seen: set[str] = set()
    for room, key, entry in _entries():
        owner = room or ("web", "shell", "form")
        if not key.startswith(tuple(f"{name}." for name in ([owner] if isinstance(owner, str) else owner))):
            found.append(f"{key}: a key begins with the name of its room")
        if key in seen:
            found.append(f"{key}: stands twice")
        seen.add(key)
        found.extend(_entry_problems(key, entry))
    return found


def _entry_problems(key: str, entry: Mapping[str, Phrase]) -> Iterator[str]:
    for language in LANGUAGES:
        if not entry.get(language):
            yield f"{key}: no text in {language}"
    if len({frozenset(_parameters(phrase)) for phrase in entry.values()}) > 1:
        yield f"{key}: the languages name different parameters"


def _parameters(phrase: Phrase) -> set[str]:
    texts = [phrase] if isinstance(phrase, str) else [phrase["other"]]
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}
