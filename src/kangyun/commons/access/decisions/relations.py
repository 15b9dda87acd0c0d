"""rules/relations.yaml as the numbers that the triggers of migration 0201 work with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from kangyun.base.rules import Rule, load
from kangyun.commons.records import hash64, reference_elements, type_code

# Whoever's address it is: a reference that is not ours is taken for one of ours, and refused rather than let through.
_PATIENT = re.compile(r"(?:.*/)?Patient/([A-Za-z0-9\-.]{1,64})(?:/_history/.*)?")

# The fields of the table access_relation_rule, in its order.
Row = tuple[int, str, int | None, list[int], list[int], list[int] | None, list[int] | None, int | None, int | None, int | None]


@cache
def rows() -> tuple[Row, ...]:
    """One row for each relation of the rule file."""
    return tuple(_row(entry) for entry in load("kangyun.commons.access", "relations.yaml").table)


@cache
def kinds() -> frozenset[str]:
    """The words for relations that a role file may use."""
    return frozenset(row[1] for row in rows()) - {"identity", "part", "source"}


@cache
def relating() -> frozenset[str]:
    """The resource types that relate somebody to a resident, or say that two Patients are one person."""
    return frozenset(entry["type"] for entry in load("kangyun.commons.access", "relations.yaml").table) - {"Patient", "Organization"}


def named_patients(resource: Any) -> Iterator[str]:
    """The ids of the Patients that a resource refers to anywhere."""
    if isinstance(resource, list):
        for one in resource:  # pyright: ignore[reportUnknownVariableType] - JSON of any shape
            yield from named_patients(one)
    elif isinstance(resource, dict):
        for name, value in resource.items():  # pyright: ignore[reportUnknownVariableType]
            found = _PATIENT.fullmatch(value) if name == "reference" and isinstance(value, str) else None
            if found:
                yield found[1]
            yield from named_patients(value)


def named_files(resource: Mapping[str, Any] | None) -> Iterator[str]:
    """The ids of the Binaries whose sight a DocumentReference gives, as its search by location finds them."""
    if resource is None or resource.get("resourceType") != "DocumentReference":
        return
    for content in _objects(resource.get("content")):
        for attachment in _objects(content.get("attachment")):
            url = attachment.get("url")
            if isinstance(url, str) and url.startswith("Binary/"):
                yield url.removeprefix("Binary/")


def _objects(value: Any) -> list[dict[str, Any]]:
    """Those in an element whose shape nobody has checked yet."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _row(entry: Mapping[str, Any]) -> Row:
    status = entry.get("status")
    return (
        type_code(entry["type"]), entry["kind"], hash64(entry["resident"]) if "resident" in entry else None,
        [hash64(name) for name in entry.get("institution", ())], [hash64(name) for name in entry.get("practitioner", ())],
        _tokens(status, entry["open"]) if status else None, _tokens(status, entry["closed"]) if status else None,
        hash64(entry["period"]) if "period" in entry else None, entry.get("days"), entry.get("most"),
    )


def _tokens(status: str, codes: Sequence[str]) -> list[int]:
    return [hash64(code) ^ hash64(status) for code in codes]


def check_example(rule: Rule, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Which relation a resource in a state makes, and for how many days."""
    entry = next(entry for entry in rule.table if entry["type"] == given["type"])
    if given["status"] in entry["open"]:
        return {"kind": entry["kind"], "days": entry["most"]}
    return {"kind": entry["kind"], "days": entry["days"]} if given["status"] in entry["closed"] else None


def check_elements(rule: Rule, given: Mapping[str, Any]) -> bool:
    """Whether each element named for a type is one that references are found by."""
    return all(element in reference_elements(given["type"]) for element in rule.map[given["type"]])
