"""An expression that is ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kangyun.base.fhir.definitions import Definitions

from .checker import check
from .compiler import compiled
from .errors import FhirPathError
from .frame import Environment, Evaluate, Frame, Resolve
from .model import Model, model_of
from .nodes import Item, Json, Node, concrete
from .parser import parse
from .values import truth


class Expression:
    """A compiled expression of the complete language; it may run many times and in several threads at once."""

    def __init__(self, text: str, evaluate: Evaluate, model: Model, type_name: str | None, *, strict: bool) -> None:
        self.text = text
        self._evaluate = evaluate
        self._model = model
        self._type = type_name
        self._strict = strict

    def evaluate(
        self,
        node: Json,
        *,
        resource: Json = None,
        root: Json = None,
        variables: Mapping[str, Json] | None = None,
        resolve: Resolve | None = None,
        member_of: Callable[[Json, str], bool | None] | None = None,
        conforms_to: Callable[[Json, str], bool | None] | None = None,
    ) -> list[Item]:
        """The result on a resource or element given as JSON (None: on nothing); raises FhirPathError.

        ``resource`` is %resource (the node itself unless given), ``root`` %rootResource (``resource`` unless given).
        ``variables`` are further ``%name``: system values, JSON objects, or lists of them.
        """
        context = self._node(node, self._type)
        inside = context if resource is None else self._node(resource, None)
        outside = inside if root is None else self._node(root, None)
        environment = Environment(
            self._model, context, inside, outside, variables or {}, resolve, member_of, conforms_to, self._strict
        )
        return self.run(Frame(environment, [] if node is None else [context]))

    __call__ = evaluate

    def run(self, frame: Frame) -> list[Item]:
        """The result in a prepared frame."""
        try:
            return self._evaluate(frame)
        except RecursionError:
            raise FhirPathError("the data or the expression is nested too deeply") from None
        except ArithmeticError:
            raise FhirPathError("a number is out of range") from None

    def holds(self, node: Json, **context: Any) -> bool | None:
        """The result as a condition: None when it is empty."""
        return truth(self.evaluate(node, **context))

    @staticmethod
    def _node(value: Json, type_name: str | None) -> Node:
        return value if type(value) is Node else Node(concrete(type_name, value) or type_name, value)


def compile(  # noqa: A001 - the word of re.compile, which this is for FHIRPath
    expression: str,
    definitions: Definitions | None = None,
    *,
    type_name: str | None = None,
    strict: bool = False,
) -> Expression:
    """Compile an expression; raises FhirPathError with the position of the fault.

    With ``type_name``, elements that the type does not have are refused. ``strict`` also refuses what R4's own
    expressions need: ``as`` on several items, System types for FHIR primitives, positions in unordered collections.
    """
    model = model_of(definitions)
    syntax = parse(expression)
    try:
        if type_name is not None:
            check(syntax, type_name, model, strict=strict)
        return Expression(expression, compiled(syntax, model, strict=strict), model, type_name, strict=strict)
    except RecursionError:
        raise FhirPathError("the expression is nested too deeply", 0) from None
