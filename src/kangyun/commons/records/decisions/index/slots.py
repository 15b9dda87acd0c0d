"""Slots: the places in the index, one for each element that a search parameter looks at."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from functools import cache

from kangyun.base.fhir import definitions
from kangyun.commons.records.decisions.index.paths import Path, children
from kangyun.commons.records.model import hash64

# FHIR types that each kind of parameter can read at the end of a path; what is not listed is not indexed there
# (a date parameter skips an Age, as the table in R4 search 3.1.1.4.8 does).
LEAVES: dict[str, frozenset[str]] = {
    "token": frozenset({"Coding", "CodeableConcept", "Identifier", "ContactPoint", "boolean", "code", "id", "string", "uri"}),
    "reference": frozenset({"Reference", "canonical", "uri", "Resource"}),
    "string": frozenset({"string", "markdown"}),
    "date": frozenset({"date", "dateTime", "instant", "Period", "Timing"}),
    "number": frozenset({"integer", "positiveInt", "unsignedInt", "decimal", "Range"}),
    "quantity": frozenset({"Quantity", "SimpleQuantity", "Age", "Duration", "Count", "Distance", "Money", "Range", "SampledData"}),
    "uri": frozenset({"uri", "url", "canonical", "oid", "uuid"}),
}
PRIMITIVE_TOKENS = frozenset({"boolean", "code", "id", "string", "uri"})
# Parts of a name are searched from any Chinese character and by their sound.
NAME_PARTS = ("family", "given", "text", "prefix", "suffix")
# Types with addresses of people.
PEOPLE = frozenset({"Patient", "Person", "RelatedPerson", "Practitioner"})
ADDRESS_PARTS = ("text", "line", "city", "district", "state", "postalCode", "country")


@dataclass(frozen=True, slots=True)
class Slot:
    """One place: `name` is the path (shared by the types of a choice), `kind` the kind of parameter, `type` the FHIR type found there.

    `seed` goes into tokens and span params, `letters` begin the lexemes. `style` of strings: plain, person, title or
    address. `valueset` is the binding of a code.
    """

    name: str
    kind: str
    type: str
    path: Path
    seed: int
    letters: str
    style: str = "plain"

    @property
    def telling(self) -> bool:
        """Whether its values tell who somebody is, so that the index knows them by keyed hashes alone."""
        return self.type in {"Identifier", "ContactPoint"} or self.veiled

    @property
    def veiled(self) -> bool:
        """Whether it is somebody's address; an institution's is public."""
        return self.style == "address" and self.name.partition(".")[0] in PEOPLE

    @property
    def valueset(self) -> str | None:
        """URL of the value set that a code is bound to."""
        element = self.path.element
        return element.binding.valueset if element and element.binding else None


@dataclass(frozen=True, slots=True)
class Use:
    """How a parameter uses a slot: only references to `target`, only contact points of `system`."""

    slot: Slot
    target: str | None = None
    system: str | None = None


def seed_of(name: str) -> int:
    """What turns the hash of a value into a token of this slot."""
    return hash64(name)


@cache
def letters_of(name: str) -> str:
    """Four letters that begin the lexemes of a slot (20 bits; a test makes sure that no two slots share them)."""
    return base64.b32encode(hashlib.sha256(name.encode()).digest()[:5]).decode().lower()[:4]


def uses(type_name: str, kind: str, path: Path) -> list[Use]:
    """The slots of one path for one kind of parameter; none when the type at its end says nothing to that kind."""
    if path.type == "Extension":
        return [use for child in children(path, "value") for use in uses(type_name, kind, child)]
    if kind == "string" and path.type in {"HumanName", "Address"}:
        parts = NAME_PARTS if path.type == "HumanName" else ADDRESS_PARTS
        return [use for part in parts for child in children(path, part) for use in uses(type_name, kind, child)]
    if path.type not in LEAVES.get(kind, ()):
        return []
    if kind == "token" and path.type == "ContactPoint" and not isinstance(path.steps[-1], str):
        bare = Path(path.steps[:-1], path.type, path.element, path.single)
        return [Use(_slot(type_name, kind, bare), None, path.steps[-1].value)]
    return [Use(_slot(type_name, kind, replace(path, target=None)), path.target)]


def _slot(type_name: str, kind: str, path: Path) -> Slot:
    name = _name(type_name, kind, path)
    return Slot(name, kind, path.type, path, seed_of(name), letters_of(name), _style(path) if kind == "string" else "plain")


def _name(type_name: str, kind: str, path: Path) -> str:
    """`Observation.subject`; `Observation.effective:date` for all types of a choice, so that they sort together."""
    text = path.text("Resource" if path.steps[:1] == ("meta",) else type_name)
    element, last = path.element, path.steps[-1]
    if element and element.choice and isinstance(last, str):
        return f"{text.removesuffix(last)}{element.name}:{kind}"
    return text


def _style(path: Path) -> str:
    owner = path.element.path.rpartition(".")[0] if path.element else ""
    if owner == "HumanName":
        return "person"
    if owner == "Address":
        return "address"
    last = path.steps[-1]
    return "title" if last in {"name", "alias"} else "plain"


def systems_of(slot: Slot) -> dict[str, frozenset[str]]:
    """Code -> systems, for a slot whose code is bound to a value set; empty when that cannot be enumerated."""
    url = slot.valueset
    pairs = definitions.load().codes(url) if url and slot.type == "code" else None
    found: dict[str, set[str]] = {}
    for system, code in pairs or ():
        found.setdefault(code, set()).add(system)
    return {code: frozenset(systems) for code, systems in found.items()}
