"""References inside a bundle: names given by fullUrl, and conditional references such as `Patient?identifier=x|y`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kangyun.base.fhir.json import dumps
from kangyun.commons.records.model import is_type

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?.+")
_RESTFUL = re.compile(r"(https?://.+)/([A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64})")
# A urn in these places names a thing, it does not point to it.
_NOT_LINKS = frozenset({
    "value", "system", "id", "resourceType", "data", "code", "display", "text", "valueString", "valueMarkdown", "valueCode",
    "valueId",
})


def conditional_references(node: Any) -> list[str]:
    """Every conditional reference in a resource. Called for whatever is written, of which few have any."""
    found: list[str] = []
    # A deletion, and a create whose condition found something, have no resource. To write one costs a sixth of walking it.
    if node and b"?" in dumps(node):
        _gather(node, found)
    return found


def _gather(node: Any, found: list[str]) -> None:
    for value in node.values() if node.__class__ is dict else node:
        if value.__class__ is dict:
            reference = value.get("reference")
            if reference.__class__ is str and "?" in reference and _is_conditional(reference):
                found.append(reference)
            _gather(value, found)
        elif value.__class__ is list:
            _gather(value, found)


def _is_conditional(reference: str) -> bool:
    match = _CONDITIONAL.fullmatch(reference)
    return bool(match and is_type(match[1]))


class Links:
    """Where the links of a Bundle lead: `names` maps a fullUrl, or a conditional reference, to Type/id."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._from: dict[str, dict[str, str]] = {}
        for url, target in names.items():
            base, relative = _split(url)
            if base:
                self._from.setdefault(base, dict(names))[relative] = target

    def seen_from(self, full_url: str | None) -> Mapping[str, str]:
        """The links of the entry with this fullUrl, which is the base of its relative references (R4, 3.1.0.11.2)."""
        return self._from.get(_split(full_url or "")[0], self._names)


def _split(url: str) -> tuple[str, str]:
    """The base of a RESTful address, and the rest: Type/id."""
    match = _RESTFUL.fullmatch(url)
    return (match[1], match[2]) if match and is_type(match[2].partition("/")[0]) else ("", "")


def resolve(resource: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A copy in which every link that is one of `names` points to its resource (R4, 3.1.0.11.2)."""
    return _resolved(resource, "", names)


def _resolved(node: Any, name: str, names: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _resolved(value, key, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_resolved(item, name, names) for item in node]
    if isinstance(node, str) and name not in _NOT_LINKS:
        if name == "div":
            return _in_narrative(node, names)
        return names.get(node, node)
    return node


def _in_narrative(text: str, names: Mapping[str, str]) -> str:
    def link(match: re.Match[str]) -> str:
        return f'{match[1]}="{names.get(match[2], match[2])}"'

    return re.sub(r'\b(href|src)="([^"]*)"', link, text)
