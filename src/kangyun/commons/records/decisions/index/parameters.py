"""The search parameters of a resource type, compiled to slots."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from kangyun.base.fhir import definitions
from kangyun.base.fhir.definitions import Component, SearchParam
from kangyun.commons.records.decisions.index.paths import Path, UnknownShapeError, follow
from kangyun.commons.records.decisions.index.slots import Slot, Use, letters_of, seed_of, uses

# Answered from columns of their own, or not at all; never from slots.
COLUMNS = frozenset({"_id", "_lastUpdated"})
# The kinds whose values are ranges.
SPANNED = frozenset({"date", "number", "quantity"})
# A boolean that is computed: whether the resident has died, in whatever way that is said.
DECEASED = "Patient.deceased.exists() and Patient.deceased != false"


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a composite: its kind and where it stands below the composite's base."""

    kind: str
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Pairing:
    """A composite over one base path.

    When the base cannot repeat, the tokens of the components' own slots say the same, so nothing is stored (`slot` is
    None). Otherwise `slot` holds the pairs: tokens, or spans under seed # hash64(first part).
    """

    base: Path
    parts: tuple[Part, ...]
    slot: Slot | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one type. `kind` is its FHIR type; `targets` the resource types a reference may name."""

    type: str
    code: str
    kind: str
    uses: tuple[Use, ...]
    targets: tuple[str, ...] = ()
    pairings: tuple[Pairing, ...] = ()
    computed: str | None = None

    @property
    def indexed(self) -> bool:
        """Whether the index can answer it."""
        return bool(self.uses or self.pairings or self.code in COLUMNS)


@cache
def parameters(type_name: str) -> dict[str, Parameter]:
    """Code -> parameter, for a resource type."""
    found = definitions.load().search_params[type_name]
    return {code: _compile(type_name, param) for code, param in found.items()}


@cache
def common() -> dict[str, Parameter]:
    """The parameters that every type has: what a search over all types may use. Their `type` is empty."""
    shared = ("_id", "_lastUpdated", "_tag", "_profile", "_security", "_source")
    return {code: replace(parameters("Basic")[code], type="") for code in shared}


def _compile(type_name: str, param: SearchParam) -> Parameter:
    targets = param.target
    if param.expression is None or param.code in COLUMNS:
        return Parameter(type_name, param.code, param.type, (), targets)
    if param.expression == DECEASED:
        return _deceased(type_name, param)
    if param.type == "composite":
        bases = follow(param.expression, Path((), type_name))
        pairings = tuple(_pairing(type_name, param, base) for base in bases)
        return Parameter(type_name, param.code, param.type, (), targets, pairings)
    return Parameter(type_name, param.code, param.type, _uses(type_name, param.type, param.expression), targets)


def _uses(type_name: str, kind: str, expression: str, base: Path | None = None) -> tuple[Use, ...]:
    root = Path((), type_name)
    try:
        found = follow(expression, base or root, root)
    except UnknownShapeError:
        return ()
    return tuple(dict.fromkeys(use for path in found for use in uses(type_name, kind, path)))


def _deceased(type_name: str, param: SearchParam) -> Parameter:
    name = f"{type_name}.deceased"
    slot = Slot(name, "token", "boolean", Path(("deceased",), "boolean"), seed_of(name), letters_of(name))
    return Parameter(type_name, param.code, param.type, (Use(slot),), computed="deceased")


def _pairing(type_name: str, param: SearchParam, base: Path) -> Pairing:
    parts = tuple(_part(type_name, component, base) for component in param.components)
    # Two tokens of one resource are met together in the token index; a code and a measured value are not.
    if base.single and not any(part.kind in SPANNED for part in parts):
        return Pairing(base, parts, None)
    name = base.text(type_name) + "$" + "$".join(component.expression for component in param.components)
    slot = Slot(name, "composite", "pair", base, seed_of(name), letters_of(name))
    return Pairing(base, parts, slot)


def _part(type_name: str, component: Component, base: Path) -> Part:
    kind = definitions.load().search_params[type_name][component.code].type
    return Part(kind, _uses(type_name, kind, component.expression, base))


def relative(slot: Slot, base: Path) -> Path:
    """The path of a component's value from its composite's base."""
    return replace(slot.path, steps=slot.path.steps[len(base.steps) :])
