"""A second, slow answer to searches: reads the JSON itself, one resource after the other, straight after R4's text.

It shares nothing with the index but the FHIRPath engine, so that a mistake in either shows as a difference.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from kangyun.base.fhir import definitions, fhirpath

Json = dict[str, Any]
FAR = Decimal(10) ** 30


@cache
def _extract(type_: str, expression: str) -> Any:
    # R4 writes DateTime for dateTime in one place, the value-date of code-value-date.
    return fhirpath.compile_fast(expression.replace("as(DateTime)", "as(dateTime)"), type_)


def values(resource: Json, code: str) -> list[tuple[str, Any]]:
    """(FHIR type, node) of a search parameter."""
    type_ = resource["resourceType"]
    return _extract(type_, definitions.load().search_params[type_][code].expression)(resource)


def scan(world: Sequence[Json], type_: str, params: Sequence[tuple[str, str]]) -> set[str]:
    """Ids of the resources of a type that fulfil all parameters."""
    mine = [resource for resource in world if resource["resourceType"] == type_]
    return {r["id"] for r in mine if all(holds(world, r, name, value) for name, value in params)}


def holds(world: Sequence[Json], resource: Json, name: str, value: str) -> bool:
    """Whether one parameter is fulfilled."""
    type_ = resource["resourceType"]
    if name.startswith("_has:"):
        _, source, code, rest = name.split(":", 3)
        own = f"{type_}/{resource['id']}"
        return any(
            r["resourceType"] == source and holds(world, r, rest, value)
            and any(v.get("reference") == own for _, v in values(r, code))
            for r in world
        )  # fmt: skip
    head, dot, rest = name.partition(".")
    if dot:
        code, _, wanted = head.partition(":")
        named = {v.get("reference") for _, v in values(resource, code)}
        return any(
            f"{r['resourceType']}/{r['id']}" in named and wanted in {"", r["resourceType"]} and _has_param(r, rest)
            and holds(world, r, rest, value)
            for r in world
        )  # fmt: skip
    code, _, modifier = name.partition(":")
    if modifier == "missing":
        # A Quantity without a number has nothing that a search could compare.
        there = [v for t, v in values(resource, code) if t != "Quantity" or "value" in v]
        return (not there) == (value == "true")
    found = any(_holds(resource, code, modifier, text) for text in value.split(","))
    return not found if modifier == "not" else found


def _has_param(resource: Json, name: str) -> bool:
    code = re.split("[.:]", name)[0]
    return name.startswith("_has:") or code in definitions.load().search_params[resource["resourceType"]]


def _holds(resource: Json, code: str, modifier: str, text: str) -> bool:
    param = definitions.load().search_params[resource["resourceType"]][code]
    if param.type == "composite":
        return _composite(resource, param, text)
    return any(_KINDS[param.type](type_, node, modifier, text) for type_, node in values(resource, code))


def _composite(resource: Json, param: Any, text: str) -> bool:
    table = definitions.load().search_params[resource["resourceType"]]
    texts = text.split("$")
    for base_type, base in _extract(resource["resourceType"], param.expression)(resource):
        pairs = zip(param.components, texts, strict=True)
        if all(
            any(
                _KINDS[table[component.code].type](type_, node, "", part)
                for type_, node in _extract(_node_type(resource, base_type), component.expression)(base)
            )
            for component, part in pairs
        ):
            return True
    return False


def _node_type(resource: Json, base_type: str) -> str:
    return resource["resourceType"] if base_type in {"DomainResource", "Resource"} else base_type


def _token(type_: str, node: Any, modifier: str, text: str) -> bool:
    if modifier == "text":
        shown = [c.get("display", "") for c in node.get("coding", [])] + [node.get("text", "")]
        return any(_fold(s).startswith(_fold(text)) for s in shown if s)
    system, bar, code = text.rpartition("|")
    if type_ in {"boolean", "code"}:
        return ("true" if node is True else "false" if node is False else node) == code and not system
    key = "code" if type_ in {"CodeableConcept", "Coding"} else "value"
    parts = node.get("coding", []) if type_ == "CodeableConcept" else [node]
    if not bar:
        return any(p.get(key) == code for p in parts)
    if not code:
        return any(p.get("system") == system for p in parts)
    return any(p.get(key) == code and p.get("system", "") == system for p in parts)


def _fold(text: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFD", text.casefold()) if unicodedata.category(c) != "Mn")
    return " ".join(bare.split())


def _string(type_: str, node: Any, modifier: str, text: str) -> bool:
    parts: list[str] = [node]
    if type_ == "HumanName":
        parts = [s for key in ("family", "text") if (s := node.get(key))]
        parts += [s for key in ("given", "prefix", "suffix") for s in node.get(key, [])]
        if "text" not in node and _chinese(node.get("family", "")):
            parts += [node["family"] + "".join(node["given"])] if node.get("given") and not modifier else []
    if modifier == "exact":
        return text in parts
    if modifier == "contains" or _chinese(text[0]):
        return any(_fold(text) in _fold(part) for part in parts)
    return any(_fold(part).startswith(_fold(text)) for part in parts)


def _chinese(text: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in text)


def _instant(text: str) -> tuple[Decimal, Decimal]:
    """First moment and first moment after, in seconds."""
    date, _, time = text.partition("T")
    year, month, day = (int(p) for p in (date + "-0-0").split("-")[:3])
    if not time:
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        days = 1 if day else calendar.monthrange(year, month)[1] if month else 366 if calendar.isleap(year) else 365
        return _seconds(start), _seconds(start + timedelta(days=days))
    clock, zone = re.fullmatch(r"([\d:.]+)(Z|[+-]\d\d:\d\d)?", time).groups()  # type: ignore[union-attr]
    parts = clock.split(":")
    offset = 0 if zone in {None, "Z"} else int(zone[:3]) * 60 + int(zone[0] + zone[4:])
    start = datetime(year, month, day, int(parts[0]), int(parts[1]), tzinfo=UTC) - timedelta(minutes=offset)
    second = Decimal(parts[2]) if len(parts) > 2 else Decimal(0)
    width = Decimal(60) if len(parts) < 3 else Decimal(1).scaleb(int(second.as_tuple().exponent))
    return _seconds(start) + second, _seconds(start) + second + width


def _seconds(moment: datetime) -> Decimal:
    return Decimal(int(moment.timestamp()))


def _date(type_: str, node: Any, _modifier: str, text: str) -> bool:
    if type_ == "Period":
        low = _instant(node["start"])[0] if "start" in node else -FAR
        high = _instant(node["end"])[1] if "end" in node else FAR
    elif isinstance(node, str):
        low, high = _instant(node)
    else:
        return False
    prefix, value = _prefix(text)
    return _compare(prefix, low, high, *_instant(value))


def _prefix(text: str) -> tuple[str, str]:
    return (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)


def _compare(prefix: str, low: Decimal, high: Decimal, first: Decimal, after: Decimal) -> bool:
    """Target [low, high) against search value [first, after), word by word after 3.1.1.4.6."""
    contained = first <= low and high <= after
    return {
        "eq": contained,
        "ne": not contained,
        "gt": high > after,
        "lt": low < first,
        "ge": high > after or contained,
        "le": low < first or contained,
        "sa": low >= after,
        "eb": high <= first,
    }[prefix]


def _quantity(type_: str, node: Any, _modifier: str, text: str) -> bool:
    if type_ != "Quantity" or "value" not in node:
        return False
    prefix, rest = _prefix(text)
    number, _, unit = rest.partition("|")
    if unit and not _unit(node, *unit.split("|")):
        return False
    value, asked = Decimal(str(node["value"])), Decimal(number)
    low = -FAR if node.get("comparator") in {"<", "<="} else value
    high = FAR if node.get("comparator") in {">", ">="} else value
    if prefix in {"eq", "ne"}:
        half = Decimal(5).scaleb(int(asked.as_tuple().exponent) - 1)
        inside = asked - half <= low and high < asked + half
        return inside == (prefix == "eq")
    equal = low == high == asked
    return {"gt": high > asked, "lt": low < asked, "ge": high > asked or equal, "le": low < asked or equal,
            "sa": low > asked, "eb": high < asked}[prefix]  # fmt: skip


def _unit(node: Json, system: str, code: str) -> bool:
    if system:
        return node.get("system") == system and node.get("code") == code
    return code in {node.get("code"), node.get("unit")}


def _reference(_type: str, node: Any, modifier: str, text: str) -> bool:
    found = node.get("reference", "")
    if modifier == "identifier":
        return _token("Identifier", node.get("identifier", {}), "", text)
    if modifier:
        return found == f"{modifier}/{text.rpartition('/')[2]}"
    return found == text if "/" in text else found.rpartition("/")[2] == text and "/" in found


_KINDS: dict[str, Callable[[str, Any, str, str], bool]] = {
    "token": _token, "string": _string, "date": _date, "quantity": _quantity, "reference": _reference,
}  # fmt: skip
