"""SearchParameter and CompartmentDefinition -> one table per resource type."""

from __future__ import annotations

import re

from kangyun.base.fhir.compile.source import Json, Package
from kangyun.base.fhir.definitions import Component, SearchParam

ABSTRACT = ("Resource", "DomainResource")
# These three are subclasses of Resource only, so what DomainResource adds is not theirs.
NOT_DOMAIN = {"Bundle", "Binary", "Parameters"}


def parameters(package: Package) -> dict[str, dict[str, SearchParam]]:
    """Resource type -> code -> parameter, from the official list of 1,375."""
    official = package.bundle("searchParams")
    codes = {p["url"]: p["code"] for p in official}
    table: dict[str, dict[str, SearchParam]] = {name: {} for name in sorted(_resource_types(package))}
    for parameter in official:
        for name in _bases(parameter, table):
            table[name][parameter["code"]] = _parameter(parameter, name, codes)
    return table


def _resource_types(package: Package) -> set[str]:
    return {
        d["name"]
        for d in package.structures
        if d["kind"] == "resource" and d.get("derivation") != "constraint" and not d["abstract"]
    }


def _bases(parameter: Json, table: dict[str, dict[str, SearchParam]]) -> list[str]:
    if "Resource" in parameter["base"]:
        return list(table)
    if "DomainResource" in parameter["base"]:
        return [name for name in table if name not in NOT_DOMAIN]
    return parameter["base"]


def _parameter(parameter: Json, name: str, codes: dict[str, str]) -> SearchParam:
    expression: str | None = parameter.get("expression")
    return SearchParam(
        code=parameter["code"],
        type=parameter["type"],
        expression=branch(expression, name) if expression else None,
        target=tuple(parameter.get("target", ())),
        components=tuple(
            Component(codes[c["definition"]], c["definition"], c["expression"]) for c in parameter.get("component", ())
        ),
        url=parameter["url"],
    )


def branch(expression: str, name: str) -> str:
    """The branches of a union that can speak about resource type ``name``."""
    parts = [part.strip() for part in _split(expression)]
    mine = [part for part in parts if _root(part) in {name, *ABSTRACT} or not _root(part)[:1].isupper()]
    if not mine:
        raise ValueError(f"{expression} has no branch for {name}")
    return " | ".join(mine)


def _root(part: str) -> str:
    found = re.match(r"[\s(]*(\w+)", part)
    return found[1] if found else ""


def _split(expression: str) -> list[str]:
    """Cut at the unions that stand outside brackets."""
    parts, depth = [""], 0
    for char in expression:
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def patient_compartment(package: Package) -> dict[str, list[str]]:
    """Resource type -> parameters; a type that is never in the compartment is left out."""
    stated: list[Json] = package.read("CompartmentDefinition-patient.json")["resource"]
    return {r["code"]: r["param"] for r in stated if "param" in r}
