"""Core extension definitions -> where each may stand and what it may hold."""

from __future__ import annotations

from kangyun.base.fhir.compile.source import Json, Package, type_name
from kangyun.base.fhir.definitions import Binding, ExtensionDef, TypeRef


def extensions(package: Package) -> dict[str, ExtensionDef]:
    """URL -> extension for every core extension with a snapshot."""
    found = [d for d in package.structures if d["type"] == "Extension" and d.get("derivation") == "constraint"]
    return {d["url"]: _extension(d) for d in found if "snapshot" in d}


def _extension(definition: Json) -> ExtensionDef:
    elements: list[Json] = definition["snapshot"]["element"]
    return ExtensionDef(
        url=definition["url"],
        modifier=bool(elements[0].get("isModifier")),
        contexts=tuple(c["expression"] for c in definition.get("context", ()) if c["type"] == "element"),
        types=_types(elements, "Extension.value"),
        parts=_parts(elements),
        binding=_binding(elements),
    )


def _parts(elements: list[Json]) -> dict[str, tuple[TypeRef, ...]]:
    slices = [e["id"] for e in elements if e["path"] == "Extension.extension" and "sliceName" in e]
    urls = {e["id"]: e.get("fixedUri") for e in elements if e["path"] == "Extension.extension.url"}
    named = {name: urls.get(f"{name}.url") or name.rpartition(":")[2] for name in slices}
    return {url: _types(elements, f"{name}.value") for name, url in named.items()}


def _types(elements: list[Json], prefix: str) -> tuple[TypeRef, ...]:
    values = [
        e
        for e in elements
        if e["id"].startswith(prefix) and e["max"] != "0" and e["id"].count(".") == prefix.count(".")
    ]
    return tuple(
        TypeRef(t["code"], tuple(sorted({type_name(p) for p in t.get("targetProfile", ())})))
        for e in values
        for t in e.get("type", ())
    )


def _binding(elements: list[Json]) -> Binding | None:
    for element in elements:
        if element["id"].startswith("Extension.value") and "valueSet" in element.get("binding", {}):
            return Binding(element["binding"]["strength"], element["binding"]["valueSet"].split("|")[0])
    return None
