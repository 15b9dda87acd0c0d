"""Criteria over statically typed paths: closures that answer True, False or None (unknown) without making nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from kangyun.base.fhir.fhirpath.comparison import compare, equal, key
from kangyun.base.fhir.fhirpath.compiler import TERMINOLOGY, compiled
from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.frame import Environment, Frame
from kangyun.base.fhir.fhirpath.functions.strings import pattern
from kangyun.base.fhir.fhirpath.functions.types import check_type
from kangyun.base.fhir.fhirpath.model import Model
from kangyun.base.fhir.fhirpath.nodes import Item, Json
from kangyun.base.fhir.fhirpath.parser import type_name
from kangyun.base.fhir.fhirpath.references import type_in
from kangyun.base.fhir.fhirpath.syntax import Binary, Call, Literal, Syntax, TypeName, TypeOperation, Variable
from kangyun.base.fhir.fhirpath.values import CONVERSIONS, truth

from .branches import ANY_RESOURCE, Branch, Branches, Dynamic, Run, Surroundings, Test, itself, node_of
from .logic import LOGIC, as_truth, negated, presence, same, text_equality

Values: TypeAlias = "Callable[[Json, Surroundings | None], Sequence[Item]]"
Number: TypeAlias = "Callable[[Json, Surroundings | None], int]"

HOLDS: dict[str, Callable[[int], bool]] = {
    "<": lambda found: found < 0,
    "<=": lambda found: found <= 0,
    ">": lambda found: found > 0,
    ">=": lambda found: found >= 0,
}
STRINGS: dict[str, Callable[[str], Callable[[str], bool]]] = {
    "startsWith": lambda part: lambda text: text.startswith(part),
    "endsWith": lambda part: lambda text: text.endswith(part),
    "contains": lambda part: lambda text: part in text,
    "matches": lambda text: _matching(pattern(text)),
}


def _matching(expression: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: expression.search(text) is not None


class Conditions:
    """Compiles criteria; what is dynamic falls back to the complete language, part by part."""

    def __init__(self, model: Model, *, resource_type: str | None, by_text: bool) -> None:
        self._model = model
        self._by_text = by_text
        self.branches = Branches(model, self.test, resource_type=resource_type)
        self._falls_back = False

    @property
    def looks_around(self) -> bool:
        """Whether any part needs %resource, %context or the complete language."""
        return self._falls_back or self.branches.looks_around

    def test(self, syntax: Syntax, here: str) -> Test:
        """The criterion as a closure over a raw node of type ``here``."""
        try:
            return self._static(syntax, here)
        except Dynamic:
            return self._general(syntax, here)

    def _general(self, syntax: Syntax, here: str) -> Test:
        self._falls_back = True
        model = self._model
        evaluate, primitive = compiled(syntax, model, strict=False), model.is_primitive(here)

        def run(node: Json, around: Surroundings | None) -> bool | None:
            this = node_of(here, node, primitive=primitive)
            environment = around.environment(model) if around else Environment(model, this, this, this, {})
            return truth(evaluate(Frame(environment, [this])))

        return run

    def _static(self, syntax: Syntax, here: str) -> Test:
        match syntax:
            case Literal(_, bool(value)):
                return lambda _, __: value
            case Binary(_, "and" | "or" | "xor" | "implies" as operator, left, right):
                return LOGIC[operator](self.test(left, here), self.test(right, here))
            case Binary(_, "=" | "!=", _, _):
                return self._equality(syntax, here)
            case Binary(_, "<" | "<=" | ">" | ">=" as operator, left, right):
                return self._order(HOLDS[operator], left, right, here)
            case Binary(_, "in", left, right):
                return self._membership(left, right, here)
            case TypeOperation(_, "is", operand, wanted):
                return self._is(operand, wanted, here)
            case Call():
                return self._call(syntax, here)
            case _:
                return as_truth([one.run for one in self.branches.of(syntax, here)])

    def _call(self, call: Call, here: str) -> Test:
        match call.name, call.arguments:
            case "not", () if call.target is not None:
                return negated(self.test(call.target, here))
            case "exists" | "empty", ():
                return presence(self._sources(call, here), found=call.name == "exists")
            case "exists", (criterion,):
                return self._quantified(call, criterion, here, every=False)
            case "all", (criterion,):
                return self._quantified(call, criterion, here, every=True)
            case "hasValue", ():
                return self._has_value(call, here)
            case "isDistinct", ():
                return self._is_distinct(call, here)
            case "startsWith" | "endsWith" | "contains" | "matches" as name, (Literal(_, str(text)),):
                return self._text_test(call, STRINGS[name](text), here)
            case "is", (argument,) if call.target is not None:
                return self._is(call.target, type_name(argument), here)
            case "hasExtension", (Literal(),):
                inner = Call(call.position, call.target, "extension", call.arguments)
                return presence(self.branches.of(inner, here), found=True)
            case _:
                return as_truth([one.run for one in self.branches.of(call, here)])

    def _sources(self, call: Call, here: str) -> list[Branch]:
        return [Branch(here, itself, itself)] if call.target is None else self.branches.of(call.target, here)

    def _seen(self, call: Call, here: str) -> list[Run]:
        return [one.seen for one in self._sources(call, here)]

    def _quantified(self, call: Call, criterion: Syntax, here: str, *, every: bool) -> Test:
        pairs = [(one.seen, self.test(criterion, one.type)) for one in self._sources(call, here)]
        if every:
            return lambda node, around: all(test(one, around) for run, test in pairs for one in run(node, around))
        return lambda node, around: any(test(one, around) for run, test in pairs for one in run(node, around))

    def _has_value(self, call: Call, here: str) -> Test:
        sources = self._sources(call, here)
        if len(sources) != 1:
            raise Dynamic
        run, seen = sources[0].run, sources[0].seen
        if not self._model.is_primitive(sources[0].type):
            return lambda _, __: False
        return _single_value(run, seen)

    def _is_distinct(self, call: Call, here: str) -> Test:
        values = self._values_of(self._sources(call, here))

        def run(node: Json, around: Surroundings | None) -> bool:
            found = values(node, around)
            return len(found) < 2 or len({key(item) for item in found}) == len(found)

        return run

    def _text_test(self, call: Call, holds: Callable[[str], bool], here: str) -> Test:
        run = self._text_run(self._sources(call, here))

        def test(node: Json, around: Surroundings | None) -> bool | None:
            found = run(node, around)
            if not found:
                return None
            if len(found) > 1:
                raise FhirPathError(f"the input of {call.name}() must be a single String", call.position)
            return holds(found[0]) if isinstance(found[0], str) else None

        return test

    def _text_run(self, sources: list[Branch]) -> Run:
        if len(sources) != 1 or not self._is_text(sources[0].type):
            raise Dynamic
        return sources[0].run

    def _is_text(self, name: str) -> bool:
        return self._model.is_primitive(name) and name not in CONVERSIONS and name != "boolean"

    def _is(self, operand: Syntax, wanted: TypeName, here: str) -> Test:
        check_type(wanted, self._model, operand.position)
        if self._by_text and isinstance(operand, Call) and operand.name == "resolve":
            return self._refers_to(operand, wanted.name, here)
        if not self._model.knows(wanted.name) or wanted.namespace == "System":
            raise Dynamic
        runs = [(self._is_kind(one, wanted.name), one.seen) for one in self.branches.of(operand, here)]

        def test(node: Json, around: Surroundings | None) -> bool | None:
            found = [holds for holds, run in runs for _ in run(node, around)]
            if len(found) > 1:
                raise FhirPathError("is needs a single value", operand.position)
            return found[0] if found else None

        return test

    def _is_kind(self, branch: Branch, wanted: str) -> bool:
        if branch.type in ANY_RESOURCE:
            raise Dynamic
        return self._model.is_kind(branch.type, wanted)

    def _refers_to(self, call: Call, wanted: str, here: str) -> Test:
        runs = [one.run for one in self._sources(call, here)]
        beginning = wanted + "/"

        def test(node: Json, around: Surroundings | None) -> bool | None:
            for run in runs:
                for one in run(node, around):
                    text = one.get("reference") if isinstance(one, dict) else one
                    if isinstance(text, str):
                        return text.startswith(beginning) or type_in(text) == wanted
            return None

        return test

    def _equality(self, syntax: Binary, here: str) -> Test:
        wanted = syntax.operator == "="
        literal = _literal(syntax.right)
        if isinstance(literal, str):
            try:
                return text_equality(self._text_run(self.branches.of(syntax.left, here)), literal, wanted=wanted)
            except Dynamic:
                pass
        if self._is_condition(syntax.left) and self._is_condition(syntax.right):
            return same(self.test(syntax.left, here), self.test(syntax.right, here), wanted=wanted)
        left, right = self._values(syntax.left, here), self._values(syntax.right, here)

        def test(node: Json, around: Surroundings | None) -> bool | None:
            found = equal(left(node, around), right(node, around))
            return None if found is None else found is wanted

        return test

    @staticmethod
    def _is_condition(syntax: Syntax) -> bool:
        match syntax:
            case Call(_, _, "exists" | "empty" | "not" | "all", _) | Literal(_, bool()):
                return True
            case Binary(_, operator, _, _):
                return operator in {"and", "or", "xor", "implies", "=", "!=", "<", "<=", ">", ">=", "in"}
            case _:
                return False

    def _order(self, holds: Callable[[int], bool], left: Syntax, right: Syntax, here: str) -> Test:
        if _is_number(left) and _is_number(right):
            return self._number_order(holds, left, right, here)
        one, other = self._values(left, here), self._values(right, here)

        def test(node: Json, around: Surroundings | None) -> bool | None:
            first, second = one(node, around), other(node, around)
            if not first or not second:
                return None
            if len(first) > 1 or len(second) > 1:
                raise FhirPathError("the operands of a comparison must be single values", left.position)
            found = compare(first[0], second[0])
            return None if found is None else holds(found)

        return test

    def _number_order(self, holds: Callable[[int], bool], left: Syntax, right: Syntax, here: str) -> Test:
        one, other = self._number(left, here), self._number(right, here)
        return lambda node, around: holds(one(node, around) - other(node, around))

    def _membership(self, left: Syntax, right: Syntax, here: str) -> Test:
        run = self._text_run(self.branches.of(left, here))
        words = frozenset(_words(right))

        def test(node: Json, around: Surroundings | None) -> bool | None:
            found = run(node, around)
            if len(found) > 1:
                raise FhirPathError("the member must be a single value", left.position)
            return found[0] in words if found else None

        return test

    def _values(self, syntax: Syntax, here: str) -> Values:
        """A closure that gives items for the comparisons of the complete language."""
        value = _literal(syntax)
        if value is not None:
            return lambda _, __: (value,)
        if _is_number(syntax):
            number = self._number(syntax, here)
            return lambda node, around: (number(node, around),)
        return self._values_of(self.branches.of(syntax, here))

    def _values_of(self, sources: list[Branch]) -> Values:
        if len(sources) == 1:
            return self._items(sources[0])
        parts = [self._items(one) for one in sources]
        return lambda node, around: [item for part in parts for item in part(node, around)]

    def _items(self, branch: Branch) -> Values:
        run, name = branch.run, branch.type
        if self._is_text(name) or name == "boolean":
            return run
        primitive = self._model.is_primitive(name)
        return lambda node, around: [node_of(name, one, primitive=primitive) for one in run(node, around)]

    def _number(self, syntax: Syntax, here: str) -> Number:
        match syntax:
            case Literal(_, int(value)):
                return lambda _, __: value
            case Call(_, Call(_, None, "children", ()), "count", ()):
                return _count_children
            case Call(_, _, "count", ()):
                runs = self._seen(syntax, here)
                return lambda node, around: sum(len(run(node, around)) for run in runs)
            case Binary(_, "+", left, right):
                one, other = self._number(left, here), self._number(right, here)
                return lambda node, around: one(node, around) + other(node, around)
            case _:
                raise Dynamic


def concrete_type(name: str, value: Json) -> str:
    """The type of a raw value on a branch: resources of any type say their own."""
    return value.get("resourceType", name) if name in ANY_RESOURCE and isinstance(value, dict) else name


def _single_value(run: Run, seen: Run) -> Test:
    def test(node: Json, around: Surroundings | None) -> bool:
        found = run(node, around)
        return len(found) == 1 and not isinstance(found[0], dict) and len(seen(node, around)) == 1

    return test


def _is_number(syntax: Syntax) -> bool:
    match syntax:
        case Call(_, _, "count", ()) | Literal(_, int()):
            return not (isinstance(syntax, Literal) and isinstance(syntax.value, bool))
        case Binary(_, "+", left, right):
            return _is_number(left) and _is_number(right)
        case _:
            return False


def _count_children(node: Json, _: Surroundings | None) -> int:
    if not isinstance(node, dict):
        return 0
    names = {key.removeprefix("_"): key for key in node if key != "resourceType"}
    return sum(max(_length(node.get(name)), _length(node.get("_" + name))) for name in names)


def _length(value: Json) -> int:
    return len(value) if isinstance(value, list) else int(value is not None)


def _literal(syntax: Syntax) -> Item | None:
    if isinstance(syntax, Literal):
        return syntax.value
    return TERMINOLOGY.get(syntax.name) if isinstance(syntax, Variable) else None


def _words(syntax: Syntax) -> list[str]:
    match syntax:
        case Literal(_, str(word)):
            return [word]
        case Binary(_, "|", left, right):
            return [*_words(left), *_words(right)]
        case _:
            raise Dynamic
