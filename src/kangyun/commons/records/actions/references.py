"""References inside a bundle: names given by fullUrl, and conditional references such as `Patient?identifier=x|y`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kangyun.commons.records.model import is_type

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?.+")
# A urn in these places names a thing, it does not point to it.
_NOT_LINKS = frozenset({"value", "system", "id", "resourceType", "data", "code", "display"})


def conditional_references(node: Any) -> Iterator[str]:
    """Every conditional reference in a resource."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "reference" and isinstance(value, str):
                match = _CONDITIONAL.fullmatch(value)
                if match and is_type(match[1]):
                    yield value
            else:
                yield from conditional_references(value)
    elif isinstance(node, list):
        for item in node:
            yield from conditional_references(item)


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
