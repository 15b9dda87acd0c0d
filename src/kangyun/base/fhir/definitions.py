"""The FHIR R4 definitions as the rest of Kangyun sees them: types, search parameters, code sets, extensions.

Source: the official package hl7.fhir.r4.examples 4.0.1 (CC0), compiled by ``python -m kangyun.base.fhir.compile``
into ``r4.bin``, a zip archive of msgpack members that hold structural facts only.
"""

from __future__ import annotations

import functools
import io
import zipfile
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

ARTEFACT = Path(__file__).with_name("r4.bin")
FORMAT = 3


class DefinitionsMissingError(RuntimeError):
    """The artefact was not built, or by an older compiler; ``make setup`` builds it."""


class Fact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of everything in the artefact: immutable and stored by position."""


class TypeRef(Fact, frozen=True, array_like=True, gc=False):
    """One allowed type of an element; ``targets`` are resource type names for Reference and canonical (empty: any)."""

    code: str
    targets: tuple[str, ...] = ()


class Binding(Fact, frozen=True, array_like=True, gc=False):
    """``strength`` is required, extensible, preferred or example; ``valueset`` is the URL without version."""

    strength: str
    valueset: str


class Constraint(Fact, frozen=True, array_like=True, gc=False):
    """An invariant: ``severity`` is error or warning, ``expression`` is FHIRPath on the constrained node."""

    key: str
    severity: str
    expression: str


class ElementDef(Fact, frozen=True, array_like=True, gc=False):
    """One element of a type.

    ``name`` is the FHIRPath name (``value`` for ``value[x]``, with ``choice`` set). ``structure`` names the TypeDef that
    holds the children when they are defined in place or by ``content_reference`` (``Patient.contact``).
    ``constraints`` are those stated on this element beyond the ones of its type.
    """

    path: str
    name: str
    min: int
    max: str
    types: tuple[TypeRef, ...]
    choice: bool
    binding: Binding | None
    summary: bool
    modifier: bool
    content_reference: str | None
    structure: str | None
    constraints: tuple[Constraint, ...]

    @property
    def repeats(self) -> bool:
        """Whether JSON holds a list here."""
        return self.max not in {"0", "1"}

    def names(self) -> dict[str, TypeRef]:
        """JSON property name -> type: one entry, or ``valueQuantity``, ``valueString``, ... for a choice."""
        if not self.choice:
            return {self.name: self.types[0] if self.types else TypeRef("Element")}
        return {self.name + t.code[0].upper() + t.code[1:]: t for t in self.types}


class TypeDef(Fact, frozen=True, array_like=True, gc=False):
    """A resource, data type, primitive type, or an element with children (``Patient.contact``, kind ``backbone``).

    ``elements`` contains the inherited ones too, keyed by ElementDef.name, in the order of the specification.
    ``pattern`` is the regular expression of a primitive type (unanchored).
    """

    name: str
    base: str | None
    kind: str
    abstract: bool
    elements: dict[str, ElementDef]
    constraints: tuple[Constraint, ...]
    pattern: str | None


class Component(Fact, frozen=True, array_like=True, gc=False):
    """One part of a composite parameter: the parameter ``code`` it repeats and the path from the composite's base."""

    code: str
    url: str
    expression: str


class SearchParam(Fact, frozen=True, array_like=True, gc=False):
    """A search parameter of one resource type; a union ``expression`` is cut down to the branches of that type.

    ``expression`` is None for the few without one (_text, _content, _query).
    """

    code: str
    type: str
    expression: str | None
    target: tuple[str, ...]
    components: tuple[Component, ...]
    url: str


class ExtensionDef(Fact, frozen=True, array_like=True, gc=False):
    """A core extension: allowed ``types`` of value[x] (empty: it has ``parts``), element paths where it may stand."""

    url: str
    modifier: bool
    contexts: tuple[str, ...]
    types: tuple[TypeRef, ...]
    parts: dict[str, tuple[TypeRef, ...]]
    binding: Binding | None


class CodeTable(Fact, frozen=True, array_like=True, gc=False):
    """The code systems by number, and each value set as its codes by code system number, decoded when it is asked for."""

    systems: tuple[str, ...]
    sets: dict[str, msgspec.Raw]


type_decoder = msgspec.msgpack.Decoder(dict[str, TypeDef])
search_decoder = msgspec.msgpack.Decoder(dict[str, dict[str, SearchParam]])
extension_decoder = msgspec.msgpack.Decoder(dict[str, ExtensionDef])
compartment_decoder = msgspec.msgpack.Decoder(dict[str, list[str]])
code_decoder = msgspec.msgpack.Decoder(CodeTable)
Groups: TypeAlias = dict[int, tuple[str, ...]]
group_decoder = msgspec.msgpack.Decoder(Groups)


class Definitions:
    """Everything about R4; each part is decoded when it is first asked for."""

    def __init__(self, archive: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(archive))
        if self._archive.comment != str(FORMAT).encode():
            raise DefinitionsMissingError(f"{ARTEFACT.name} was built by another version; run `make setup`")
        self._codes: dict[str, frozenset[tuple[str, str]] | None] = {}

    def _member(self, name: str) -> bytes:
        return self._archive.read(name)

    @functools.cached_property
    def types(self) -> dict[str, TypeDef]:
        """Type name or path of a nested structure (``Patient.contact``) -> definition."""
        return type_decoder.decode(self._member("types"))

    @functools.cached_property
    def resources(self) -> frozenset[str]:
        """Names of the resource types that can be stored (146: Resource and DomainResource are abstract)."""
        return frozenset(n for n, t in self.types.items() if t.kind == "resource" and not t.abstract)

    @functools.cached_property
    def search_params(self) -> dict[str, dict[str, SearchParam]]:
        """Resource type -> parameter code -> parameter, those of Resource and DomainResource included."""
        return search_decoder.decode(self._member("search"))

    @functools.cached_property
    def extensions(self) -> dict[str, ExtensionDef]:
        """URL -> core extension."""
        return extension_decoder.decode(self._member("extensions"))

    @functools.cached_property
    def compartment_patient(self) -> dict[str, list[str]]:
        """Resource type -> reference parameters that put it in a Patient's compartment."""
        return compartment_decoder.decode(self._member("compartment"))

    @functools.cached_property
    def _code_table(self) -> CodeTable:
        return code_decoder.decode(self._member("codes"))

    def codes(self, valueset: str) -> frozenset[tuple[str, str]] | None:
        """All (system, code) of a value set; None when it cannot be enumerated (UCUM, BCP 47, SNOMED CT filters)."""
        url = valueset.split("|", maxsplit=1)[0]
        if url not in self._codes:
            self._codes[url] = self._expand(url)
        return self._codes[url]

    def _expand(self, url: str) -> frozenset[tuple[str, str]] | None:
        table = self._code_table
        groups = table.sets.get(url)
        if groups is None:
            return None
        return frozenset((table.systems[n], code) for n, codes in group_decoder.decode(groups).items() for code in codes)

    def properties(self, type_name: str) -> dict[str, tuple[ElementDef, TypeRef]]:
        """JSON property name -> (element, its type) of a type or nested structure."""
        known = self.types[type_name].elements.values()
        return {name: (element, ref) for element in known for name, ref in element.names().items()}


def is_kind_of(definitions: Definitions, name: str, ancestor: str) -> bool:
    """Whether type ``name`` is ``ancestor`` or specialises it (Age is a Quantity)."""
    current: str | None = name
    while current is not None and current != ancestor:
        found = definitions.types.get(current)
        current = found.base if found else None
    return current == ancestor


@functools.cache
def load() -> Definitions:
    """The compiled R4 definitions; raises DefinitionsMissingError when set-up has not built them."""
    if not ARTEFACT.exists():
        raise DefinitionsMissingError(f"{ARTEFACT.name} is missing; run `make setup`")
    return Definitions(ARTEFACT.read_bytes())


def encode(value: Any) -> bytes:
    """One archive member; only the compiler calls it."""
    return msgspec.msgpack.encode(value)
