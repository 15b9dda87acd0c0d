"""What can be refused before running, because the definitions tell the type of every path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from .errors import FhirPathError
from .model import Model
from .parser import type_name
from .syntax import Binary, Call, Indexer, Member, Special, Syntax, TypeName, TypeOperation, Unary, Variable

Types: TypeAlias = "frozenset[str] | None"
# Functions that evaluate their arguments on each item of the input.
INNER = frozenset({"where", "exists", "all", "select", "repeat", "aggregate", "iif", "trace", "sort"})
# Functions whose result consists of items of the input.
KEEPING = frozenset(
    {"where", "first", "last", "tail", "skip", "take", "single", "distinct", "trace", "exclude", "sort"}
)
POSITIONAL = frozenset({"first", "last", "tail", "skip", "take"})
ANY_RESOURCE = frozenset({"Resource", "DomainResource"})


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a collection: its FHIR types (None: nothing) and whether its order means something."""

    types: Types
    ordered: bool = True


UNKNOWN = Shape(None)


def check(syntax: Syntax, type_name: str, model: Model, *, strict: bool) -> None:
    """Refuse elements that the types do not have; if strict, also positions in collections without an order."""
    Checker(model, strict=strict).shape(syntax, Shape(frozenset({type_name})))


class Checker:
    """Infers shapes from the leaves up."""

    def __init__(self, model: Model, *, strict: bool) -> None:
        self._model = model
        self._strict = strict

    def shape(self, syntax: Syntax, here: Shape) -> Shape:
        """The shape of a part evaluated on ``here``; raises FhirPathError."""
        match syntax:
            case Member(_, None, name):
                return self._first(syntax, name, here)
            case Member(position, target, name) if target is not None:
                return self._children(self.shape(target, here), name, position)
            case Special(_, "this"):
                return here
            case Variable(_, _) | Special(_, _):
                return UNKNOWN
            case Call():
                return self._call(syntax, here)
            case Indexer(position, target, index):
                self.shape(index, here)
                return self._positioned(self.shape(target, here), position)
            case Unary(_, _, operand):
                self.shape(operand, here)
                return UNKNOWN
            case TypeOperation(_, operator, operand, wanted):
                return self._typed(self.shape(operand, here), operator, wanted)
            case Binary():
                return self._binary(syntax, here)
            case _:
                return UNKNOWN

    def _first(self, syntax: Member, name: str, here: Shape) -> Shape:
        if not name[:1].isupper() or not self._model.knows(name) or here.types is None:
            return self._children(here, name, syntax.position)
        related = self._model.is_kind
        kept = frozenset(one for one in here.types if related(one, name) or related(name, one))
        if not kept:
            raise FhirPathError(f"the context is not a {name}", syntax.position)
        return replace(here, types=kept)

    def _children(self, source: Shape, name: str, position: int) -> Shape:
        if source.types is None or source.types & ANY_RESOURCE:
            return replace(source, types=None)
        found = [child for one in source.types if (child := self._model.child(one, name))]
        if not found:
            raise FhirPathError(f"{' or '.join(sorted(source.types))} has no element {name}", position)
        return replace(source, types=frozenset(one.type for child in found for one in child.properties))

    def _call(self, call: Call, here: Shape) -> Shape:
        source = here if call.target is None else self.shape(call.target, here)
        if call.name in {"is", "as", "ofType"} and len(call.arguments) == 1:
            return self._typed(source, call.name, type_name(call.arguments[0]))
        inside = source if call.name in INNER else here
        results = [self.shape(argument, inside) for argument in call.arguments]
        if call.name in POSITIONAL:
            return self._positioned(source, call.position)
        if call.name in KEEPING:
            return source
        return self._result(call.name, results)

    @staticmethod
    def _result(name: str, arguments: list[Shape]) -> Shape:
        match name:
            case "select" if arguments:
                return arguments[0]
            case "extension":
                return Shape(frozenset({"Extension"}))
            case "children" | "descendants":
                return Shape(None, ordered=False)
            case _:
                return UNKNOWN

    def _positioned(self, source: Shape, position: int) -> Shape:
        if self._strict and not source.ordered:
            raise FhirPathError("the collection has no order, so a position in it means nothing", position)
        return source

    def _typed(self, source: Shape, operator: str, wanted: TypeName) -> Shape:
        if operator == "is" or wanted.namespace == "System" or not self._model.knows(wanted.name):
            return UNKNOWN
        return replace(source, types=frozenset({wanted.name}))

    def _binary(self, syntax: Binary, here: Shape) -> Shape:
        left, right = self.shape(syntax.left, here), self.shape(syntax.right, here)
        if syntax.operator != "|" or left.types is None or right.types is None:
            return UNKNOWN
        return Shape(left.types | right.types, ordered=False)
