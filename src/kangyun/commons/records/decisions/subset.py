"""What a summary or a choice of elements leaves of a resource (FHIR R4, Search 3.1.1.5.8 and 3.1.1.5.9)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any

from kangyun.base.errors import refuse
from kangyun.base.fhir import definitions

_TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_ALWAYS = frozenset({"resourceType", "id", "meta"})
SUMMARIES = frozenset({"true", "text", "data", "count", "false"})


def check_summary(value: str) -> str:
    """The value of _summary, or Problem 400."""
    if value not in SUMMARIES:
        raise refuse(400, "value", "records.bad-parameter", name="_summary")
    return value


def subset(resource: dict[str, Any], summary: str | None, elements: AbstractSet[str] | None) -> dict[str, Any]:
    """The part of a resource that was asked for, tagged SUBSETTED; mandatory elements always stay."""
    type_ = resource["resourceType"]
    if elements:
        return _tagged(_kept(resource, elements | _mandatory(type_)))
    if summary == "true":
        return _tagged(_summarised(resource, type_))
    if summary == "text":
        return _tagged(_kept(resource, _mandatory(type_) | {"text"}))
    if summary == "data":
        return _tagged({k: v for k, v in resource.items() if k != "text"})
    return resource


@cache
def _mandatory(type_: str) -> frozenset[str]:
    known = definitions.load().types[type_].elements.values()
    return frozenset(name for e in known if e.min > 0 for name in e.names()) | _ALWAYS


@cache
def _in_summary(type_: str) -> dict[str, str | None]:
    """JSON names of the summary elements of a type, each with the structure of its own children."""
    known = definitions.load().types[type_].elements.values()
    return {name: e.structure for e in known if e.summary or e.min > 0 for name in e.names()}


def _kept(resource: dict[str, Any], names: AbstractSet[str]) -> dict[str, Any]:
    # A choice element is asked for by its FHIRPath name: value for valueQuantity.
    return {k: v for k, v in resource.items() if k.lstrip("_") in names or _choice(k, names)}


def _choice(key: str, names: AbstractSet[str]) -> bool:
    return any(key.lstrip("_").startswith(n) and key.lstrip("_")[len(n):][:1].isupper() for n in names)


def _summarised(node: dict[str, Any], type_: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    wanted = _in_summary(type_)
    for key, value in node.items():
        name = key.lstrip("_")
        if key in _ALWAYS:
            kept[key] = value
        elif name in wanted:
            structure = wanted[name]
            kept[key] = value if structure is None else _inside(value, structure)
    return kept


def _inside(value: Any, structure: str) -> Any:
    if isinstance(value, list):
        return [_inside(item, structure) for item in value]
    return _summarised(value, structure) if isinstance(value, dict) else value


def _tagged(resource: dict[str, Any]) -> dict[str, Any]:
    meta = dict(resource.get("meta", {}))
    meta["tag"] = [*meta.get("tag", []), _TAG]
    return {**resource, "meta": meta}
