"""The fast doors of FHIRPath: search parameters and invariants over raw JSON."""

from __future__ import annotations

from kangyun.base.fhir.definitions import Definitions
from kangyun.base.fhir.fhirpath.compiler import compiled
from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.frame import Frame, Resolve
from kangyun.base.fhir.fhirpath.model import Model, model_of
from kangyun.base.fhir.fhirpath.nodes import Json, Node
from kangyun.base.fhir.fhirpath.parser import parse
from kangyun.base.fhir.fhirpath.syntax import Binary, Syntax
from kangyun.base.fhir.fhirpath.values import type_of

from .branches import Dynamic, Surroundings, Test
from .conditions import Conditions
from .tagging import Tagged, Typed, joined, tagged

# What a malformed resource makes of closures that trust the definitions.
MALFORMED = (AttributeError, TypeError)
CONDITIONS = frozenset({"and", "or", "xor", "implies", "=", "!=", "<", "<=", ">", ">=", "in"})


class Extract:
    """The values of a search parameter.

    ``types`` are the FHIR type names that can come out, ``Resource`` standing for any resource; None when only the values
    themselves can tell (no search parameter of R4).
    """

    def __init__(self, types: frozenset[str] | None, run: Tagged) -> None:
        self.types = types
        self._run = run

    def __call__(self, resource: Json) -> list[Typed]:
        """Pairs of FHIR type and raw JSON in the order of the expression; empty where the resource is malformed."""
        try:
            return self._run(resource, None)
        except MALFORMED:
            return []


class Invariant:
    """A constraint."""

    def __init__(self, type_name: str, test: Test, *, looks_around: bool) -> None:
        self._type = type_name
        self._test = test
        self._looks_around = looks_around

    def __call__(self, node: Json, resource: Json = None, root: Json = None, resolve: Resolve | None = None) -> bool:
        """Whether it is kept; an empty result keeps it. Raises FhirPathError where the data does not allow an answer."""
        around = Surroundings(self._type, node, resource, root, resolve) if self._looks_around else None
        try:
            return self._test(node, around) is not False
        except RecursionError:
            raise FhirPathError("the data is nested too deeply") from None
        except ArithmeticError:
            raise FhirPathError("a number is out of range") from None
        except MALFORMED:
            raise FhirPathError("the resource does not have the structure of its type") from None


def compile_fast(expression: str, type_name: str, definitions: Definitions | None = None) -> Extract:
    """Compile a search parameter's expression for resources (or elements) of one type; raises FhirPathError."""
    model = model_of(definitions)
    syntax = parse(expression)
    conditions = Conditions(model, resource_type=type_name, by_text=True)
    if isinstance(syntax, Binary) and syntax.operator in CONDITIONS:
        return Extract(frozenset({"boolean"}), _boolean(conditions.test(syntax, type_name)))
    try:
        branches = conditions.branches.of(syntax, type_name)
    except Dynamic:
        return Extract(None, _general(syntax, type_name, model))
    return Extract(frozenset(one.type for one in branches), joined([tagged(one) for one in branches]))


def compile_invariant(expression: str, type_name: str, definitions: Definitions | None = None) -> Invariant:
    """Compile a constraint that stands on nodes of one type or element path; raises FhirPathError."""
    model = model_of(definitions)
    owner = type_name.partition(".")[0]
    conditions = Conditions(model, resource_type=owner if model.is_resource(owner) else None, by_text=False)
    test = conditions.test(parse(expression), type_name)
    return Invariant(type_name, test, looks_around=conditions.looks_around)


def _boolean(test: Test) -> Tagged:
    def run(node: Json, around: Surroundings | None) -> list[Typed]:
        found = test(node, around)
        return [] if found is None else [("boolean", found)]

    return run


def _general(syntax: Syntax, type_name: str, model: Model) -> Tagged:
    evaluate = compiled(syntax, model, strict=False)

    def run(node: Json, _: Surroundings | None) -> list[Typed]:
        environment = Surroundings(type_name, node, node, node, None).environment(model)
        found = evaluate(Frame(environment, [environment.context]))
        return [(_name(item, model), item.value if type(item) is Node else item) for item in found]

    return run


def _name(item: object, model: Model) -> str:
    namespace, name = type_of(item, model)
    return name if namespace == "FHIR" else name[0].lower() + name[1:]
