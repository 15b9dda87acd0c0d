"""StructureDefinition -> TypeDef, one for each type and for each element with children."""

from __future__ import annotations

from kangyun.base.fhir.compile.source import Json, Package, type_name
from kangyun.base.fhir.definitions import Binding, Constraint, ElementDef, TypeDef, TypeRef

SYSTEM_TYPES = "http://hl7.org/fhirpath/System."
REGEX = "http://hl7.org/fhir/StructureDefinition/regex"
NATIVE_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
NESTING = {"BackboneElement", "Element"}


def types(package: Package) -> dict[str, TypeDef]:
    """All resource, data and primitive types; profiles and logical models are left out."""
    base = [d for d in package.structures if d.get("derivation") != "constraint" and d["kind"] != "logical"]
    own = {d["name"]: _constraints(d["snapshot"]["element"][0]) for d in base}
    found: dict[str, TypeDef] = {}
    for definition in sorted(base, key=lambda d: d["name"]):
        found.update(_compile(definition, own))
    return found


def _compile(definition: Json, own: dict[str, tuple[Constraint, ...]]) -> dict[str, TypeDef]:
    """The type itself and its nested structures, keyed by path."""
    elements: list[Json] = definition["snapshot"]["element"]
    parents = {e["path"].rpartition(".")[0] for e in elements[1:]}
    found: dict[str, TypeDef] = {}
    for element in elements:
        path: str = element["path"]
        if path in parents or "." not in path:
            children = _children(path, elements, parents, own)
            found[path] = _type(definition, element, {c.name: c for c in children})
    return found


def _type(definition: Json, element: Json, children: dict[str, ElementDef]) -> TypeDef:
    path: str = element["path"]
    if "." in path:
        base: str | None = element["type"][0]["code"]
        kind = "backbone"
    else:
        base = type_name(definition["baseDefinition"]) if "baseDefinition" in definition else None
        kind = definition["kind"]
    pattern = _pattern(definition) if kind == "primitive-type" else None
    abstract = bool(definition["abstract"]) and "." not in path
    return TypeDef(path, base, kind, abstract, children, _constraints(element), pattern)


def _pattern(definition: Json) -> str | None:
    value = next(e for e in definition["snapshot"]["element"] if e["path"].endswith(".value"))
    found = (x["valueString"] for t in value["type"] for x in t.get("extension", ()) if x["url"] == REGEX)
    return next(found, None)


def _children(
    path: str, elements: list[Json], parents: set[str], own: dict[str, tuple[Constraint, ...]]
) -> list[ElementDef]:
    inside = [e for e in elements if e["path"].rpartition(".")[0] == path]
    # A primitive's value is the JSON value itself, not a property.
    is_value = path[0].islower()
    return [_element(e, parents, own) for e in inside if not (is_value and e["path"].endswith(".value"))]


def _element(element: Json, parents: set[str], own: dict[str, tuple[Constraint, ...]]) -> ElementDef:
    path: str = element["path"]
    name = path.rpartition(".")[2]
    reference: str | None = element["contentReference"].lstrip("#") if "contentReference" in element else None
    refs = tuple(_type_ref(element, t) for t in element.get("type", ()))
    known = {c for t in refs for c in own.get(t.code, ())}
    return ElementDef(
        path=path.removesuffix("[x]"),
        name=name.removesuffix("[x]"),
        min=element["min"],
        max=element["max"],
        types=refs,
        choice=name.endswith("[x]"),
        binding=_binding(element),
        summary=bool(element.get("isSummary")),
        modifier=bool(element.get("isModifier")),
        content_reference=reference,
        structure=reference or (path if path in parents else None),
        constraints=() if path in parents or reference else tuple(c for c in _constraints(element) if c not in known),
    )


def _type_ref(element: Json, declared: Json) -> TypeRef:
    code: str = declared["code"]
    if code.startswith(SYSTEM_TYPES):
        # The specification gives these as FHIRPath types; JSON and the formats page say which primitive is meant.
        native = (x["valueUrl"] for x in declared.get("extension", ()) if x["url"] == NATIVE_TYPE)
        code = "id" if element["base"]["path"] == "Resource.id" else next(native, "string")
    targets = sorted({type_name(p) for p in declared.get("targetProfile", ())})
    return TypeRef(code, tuple(targets))


def _binding(element: Json) -> Binding | None:
    binding: Json | None = element.get("binding")
    if not binding or "valueSet" not in binding:
        return None
    return Binding(binding["strength"], binding["valueSet"].split("|")[0])


def _constraints(element: Json) -> tuple[Constraint, ...]:
    stated: list[Json] = element.get("constraint", [])
    return tuple(Constraint(c["key"], c["severity"], c["expression"]) for c in stated if "expression" in c)
