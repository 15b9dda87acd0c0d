"""Syntax -> closures that work on every node, whatever its type (the complete language)."""

from __future__ import annotations

from .arithmetic import negate
from .errors import FhirPathError
from .frame import Evaluate, Frame
from .functions import FUNCTIONS, Function
from .functions.selection import sort
from .functions.types import check_type, is_type, of_type
from .model import Model
from .nodes import Item, Node, child_nodes, concrete
from .operators import OPERATORS
from .parser import type_name
from .syntax import (
    Binary,
    Call,
    Empty,
    Indexer,
    Literal,
    Member,
    Special,
    Syntax,
    TypeName,
    TypeOperation,
    Unary,
    Variable,
)
from .values import expect, singleton

TERMINOLOGY = {
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
    "ucum": "http://unitsofmeasure.org",
}


def compiled(syntax: Syntax, model: Model, *, strict: bool) -> Evaluate:
    """The closure of an expression; raises FhirPathError for unknown functions, types and wrong argument counts."""
    return Compiler(model, strict=strict).build(syntax)


class Compiler:
    """Builds closures for one model."""

    def __init__(self, model: Model, *, strict: bool) -> None:
        self._model = model
        self._strict = strict

    def build(self, syntax: Syntax) -> Evaluate:
        """The closure of one part."""
        match syntax:
            case Literal(_, value):
                return lambda _: [value]
            case Empty():
                return lambda _: []
            case Special(_, name):
                return SPECIALS[name]
            case Variable(position, name):
                return located(_variable(name), position)
            case Member(_, target, name):
                return self._member(target, name)
            case Call():
                return self._call(syntax)
            case Indexer(position, target, index):
                return located(_indexer(self.build(target), self.build(index)), position)
            case Unary(position, operator, operand):
                return located(_polarity(operator, self.build(operand)), position)
            case Binary(position, operator, left, right):
                return located(OPERATORS[operator](self.build(left), self.build(right)), position)
            case TypeOperation(position, operator, operand, name):
                return self._type_function(position, operator, self.build(operand), name)
            case _:
                raise FhirPathError("this cannot be evaluated", syntax.position)

    def _member(self, target: Syntax | None, name: str) -> Evaluate:
        if target is None:
            return self._first_member(name)
        source, model = self.build(target), self._model

        def run(frame: Frame) -> list[Item]:
            return [found for item in source(frame) if type(item) is Node for found in child_nodes(item, name, model)]

        return run

    def _first_member(self, name: str) -> Evaluate:
        model = self._model
        # `Patient.name` begins with the type of the context, not with an element.
        is_name_of_type = name[:1].isupper() and model.knows(name)

        def run(frame: Frame) -> list[Item]:
            nodes = [item for item in frame.this if type(item) is Node]
            if is_name_of_type and any(node.type and model.is_kind(node.type, name) for node in nodes):
                return [node for node in nodes if node.type and model.is_kind(node.type, name)]
            return [found for node in nodes for found in child_nodes(node, name, model)]

        return run

    def _call(self, call: Call) -> Evaluate:
        source = SPECIALS["this"] if call.target is None else self.build(call.target)
        if call.name in {"is", "as", "ofType"}:
            _check_count(call, 1, 1)
            return self._type_function(call.position, call.name, source, type_name(call.arguments[0]))
        if call.name == "sort":
            return located(self._sort(source, call), call.position)
        found = FUNCTIONS.get(call.name)
        if found is None:
            raise FhirPathError(f"there is no function {call.name}()", call.position)
        _check_count(call, found.least, found.most)
        return located(_applied(found, source, [self.build(argument) for argument in call.arguments]), call.position)

    def _sort(self, source: Evaluate, call: Call) -> Evaluate:
        criteria: list[tuple[bool, Evaluate]] = []
        for argument in call.arguments:
            # A minus before a sort key turns the order around, whatever the type of the key.
            descending = isinstance(argument, Unary) and argument.operator == "-"
            key = argument.operand if isinstance(argument, Unary) else argument
            criteria.append((descending, self.build(key)))
        return lambda frame: sort(frame, source(frame), criteria)

    def _type_function(self, position: int, name: str, source: Evaluate, wanted: TypeName) -> Evaluate:
        model, strict = self._model, self._strict
        check_type(wanted, model, position)

        def test(frame: Frame) -> list[Item]:
            items = source(frame)
            if len(items) > 1:
                raise FhirPathError("is needs a single value", position)
            return [is_type(items[0], wanted, model, strict=strict)] if items else []

        def choose(frame: Frame) -> list[Item]:
            items = source(frame)
            # R4's own search parameters and invariants use `as` on several items, as a filter.
            if strict and name == "as" and len(items) > 1:
                raise FhirPathError("as needs a single value", position)
            return of_type(items, wanted, model, strict=strict)

        return test if name == "is" else choose


def _check_count(call: Call, least: int, most: int) -> None:
    if not least <= len(call.arguments) <= most:
        raise FhirPathError(f"{call.name}() does not take {len(call.arguments)} arguments", call.position)


def located(run: Evaluate, position: int) -> Evaluate:
    """The same closure, whose faults know where they happened."""

    def guarded(frame: Frame) -> list[Item]:
        try:
            return run(frame)
        except FhirPathError as fault:
            raise fault.at(position) from None

    return guarded


def _applied(function: Function, source: Evaluate, arguments: list[Evaluate]) -> Evaluate:
    apply = function.apply
    if not arguments:
        return lambda frame: apply(frame, source(frame))
    if function.lazy:
        return lambda frame: apply(frame, source(frame), *arguments)
    return lambda frame: apply(frame, source(frame), *[argument(frame) for argument in arguments])


def _this(frame: Frame) -> list[Item]:
    return frame.this


def _index(frame: Frame) -> list[Item]:
    return [frame.index]


def _total(frame: Frame) -> list[Item]:
    if frame.total is None:
        raise FhirPathError("$total stands in aggregate() only")
    return frame.total


SPECIALS: dict[str, Evaluate] = {"this": _this, "index": _index, "total": _total}


def _indexer(target: Evaluate, index: Evaluate) -> Evaluate:
    def run(frame: Frame) -> list[Item]:
        items = target(frame)
        place = expect(index(frame), int, "an index")
        return [] if place is None or not 0 <= place < len(items) else [items[place]]

    return run


def _polarity(operator: str, operand: Evaluate) -> Evaluate:
    def run(frame: Frame) -> list[Item]:
        value = singleton(operand(frame))
        if value is None:
            return []
        return [negate(value) if operator == "-" else negate(negate(value))]

    return run


def _variable(name: str) -> Evaluate:
    if name in TERMINOLOGY:
        return lambda _: [TERMINOLOGY[name]]
    if name.startswith("vs-"):
        return lambda _: [f"http://hl7.org/fhir/ValueSet/{name[3:]}"]
    if name.startswith("ext-"):
        return lambda _: [f"http://hl7.org/fhir/StructureDefinition/{name[4:]}"]
    match name:
        case "context":
            return lambda frame: [frame.environment.context]
        case "resource":
            return lambda frame: [frame.environment.resource]
        case "rootResource":
            return lambda frame: [frame.environment.root]
        case _:
            return lambda frame: _given(frame, name)


def _given(frame: Frame, name: str) -> list[Item]:
    variables = frame.environment.variables
    if name not in variables:
        raise FhirPathError(f"there is no variable %{name}")
    value = variables[name]
    values = value if isinstance(value, list) else [value]
    return [Node(concrete(None, one), one) if isinstance(one, dict) else one for one in values]
