"""Extensions: value or parts, never both, and the core ones as their definitions say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kangyun.base.errors import Issue
from kangyun.base.fhir import definitions
from kangyun.base.fhir.definitions import ExtensionDef, TypeRef
from kangyun.base.fhir.validation.shapes import Property, shape


def value_property(extension: dict[str, Any]) -> Property | None:
    """The value[x] that an extension holds, if any."""
    known = shape("Extension").properties
    names = (name.removeprefix("_") for name in extension)
    return next((known[name] for name in names if name in known and known[name].step == "value"), None)


def issues(extension: dict[str, Any], path: str, *, modifier: bool) -> Iterable[Issue]:
    """What is wrong with a structurally sound extension."""
    value, url = value_property(extension), extension.get("url")
    if (value is not None) == ("extension" in extension):
        yield Issue("structure", "fhir.extension-value", {}, path)
    known = definitions.load().extensions.get(url) if isinstance(url, str) else None
    if known is not None:
        yield from _core(known, extension, value, path)
        if known.modifier != modifier:
            key = "fhir.extension-modifier" if known.modifier else "fhir.extension-no-modifier"
            yield Issue("extension", key, {"url": known.url}, path)


def advice(extension: dict[str, Any], path: str, holder: frozenset[str]) -> Iterable[Issue]:
    """A warning when a core extension stands outside its context; the official resources themselves do so 1,751 times.

    ``holder`` names the element that carries it: its path, its type and that type's ancestors. The context "Element"
    means any place, resources included.
    """
    known = definitions.load().extensions.get(extension.get("url", ""))
    if known and known.contexts and not {"Element", *holder}.intersection(known.contexts):
        params = {"url": known.url, "allowed": ", ".join(known.contexts)}
        yield Issue("extension", "fhir.extension-context", params, path, "warning")


def _core(known: ExtensionDef, extension: dict[str, Any], value: Property | None, path: str) -> Iterable[Issue]:
    if known.types and not _fits(value, known.types):
        allowed = ", ".join(t.code for t in known.types)
        yield Issue("extension", "fhir.extension-type", {"url": known.url, "allowed": allowed}, path)
    if known.parts and value is not None:
        yield Issue("extension", "fhir.extension-parts", {"url": known.url}, path)
    for index, part in enumerate(extension.get("extension", ())):
        types = known.parts.get(part.get("url")) if known.parts else None
        if types and not _fits(value_property(part), types):
            allowed = ", ".join(t.code for t in types)
            yield Issue(
                "extension",
                "fhir.extension-type",
                {"url": part["url"], "allowed": allowed},
                f"{path}.extension[{index}]",
            )


def _fits(value: Property | None, types: tuple[TypeRef, ...]) -> bool:
    return value is not None and any(value.ref.code == t.code for t in types)
