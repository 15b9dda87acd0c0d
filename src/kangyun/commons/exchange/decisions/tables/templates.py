"""Templates of resources in rules/tables: what has places to fill, and none of them filled, is left out.

`$name` stands for the value of a column, `$name.coding` for the first Coding of a concept, `$subject` for the resident, `$sender` for the organisation, `$@seed` for another
resource of the same row, `$item` for one value of the list that `each` names. `{each: name, of: ...}` makes a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Fill = Callable[[Mapping[str, Any]], Any]


def compiled(template: Any) -> Fill:
    """A function that fills the template from the values of a row; None where nothing of it can be filled."""
    if not _has_places(template):
        return lambda _values: template
    if isinstance(template, str):
        key, _, part = template[1:].partition(".")
        return (lambda values: _coding(values.get(key))) if part else (lambda values: values.get(key))
    if isinstance(template, dict) and template.keys() == {"each", "of"}:
        return _each(str(template["each"]), compiled(template["of"]))
    if isinstance(template, dict):
        return _mapping({str(key): value for key, value in template.items()})
    return _sequence(list(template))


def _coding(concept: Any) -> Any:
    return concept["coding"][0] if concept else None


def _each(name: str, make: Fill) -> Fill:
    def fill(values: Mapping[str, Any]) -> Any:
        return [make({"item": item}) for item in values.get(name, ())] or None

    return fill


def _mapping(template: dict[str, Any]) -> Fill:
    places = [(key, compiled(value)) for key, value in template.items() if _has_places(value)]

    def fill(values: Mapping[str, Any]) -> Any:
        # A copy of the whole keeps its order and its constants.
        whole = template.copy()
        filled = False
        for key, make in places:
            value = make(values)
            if value is None:
                del whole[key]
            else:
                whole[key] = value
                filled = True
        return whole if filled else None

    return fill


def _sequence(template: list[Any]) -> Fill:
    makers = [compiled(one) for one in template]

    def fill(values: Mapping[str, Any]) -> Any:
        found: list[Any] = []
        for make in makers:
            value = make(values)
            if isinstance(value, list):
                found += value
            elif value is not None:
                found.append(value)
        return found or None

    return fill


def _has_places(template: Any) -> bool:
    if isinstance(template, str):
        return template.startswith("$")
    if isinstance(template, dict):
        return any(map(_has_places, template.values()))
    return isinstance(template, list) and any(map(_has_places, template))
