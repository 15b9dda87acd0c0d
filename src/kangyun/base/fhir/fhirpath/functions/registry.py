"""The table of functions; each module of this folder adds its own by decorators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from kangyun.base.fhir.fhirpath.frame import Frame
from kangyun.base.fhir.fhirpath.values import Item, expect

Items: TypeAlias = list[Item]
Apply: TypeAlias = Callable[..., Items]


@dataclass(frozen=True, slots=True)
class Function:
    """``apply(frame, items, *arguments)``; the arguments of a lazy function are compiled parts, else collections."""

    name: str
    least: int
    most: int
    lazy: bool
    apply: Apply


FUNCTIONS: dict[str, Function] = {}


def function(name: str, least: int = 0, most: int | None = None) -> Callable[[Apply], Apply]:
    """Register a function whose arguments are evaluated before it is called."""
    return _register(name, least, most, lazy=False)


def lazy(name: str, least: int = 0, most: int | None = None) -> Callable[[Apply], Apply]:
    """Register a function that evaluates its arguments itself, once for each item or not at all."""
    return _register(name, least, most, lazy=True)


def _register(name: str, least: int, most: int | None, *, lazy: bool) -> Callable[[Apply], Apply]:
    def register(apply: Apply) -> Apply:
        FUNCTIONS[name] = Function(name, least, least if most is None else most, lazy, apply)
        return apply

    return register


def on_value(
    name: str, kind: type | tuple[type, ...], least: int = 0, most: int | None = None
) -> Callable[[Callable[..., Item | None]], None]:
    """Register a function of one value of the given type: an empty input or argument makes an empty result.

    The function gets the value and its arguments as system values and returns one value, or None for empty.
    """

    def register(compute: Callable[..., Item | None]) -> None:
        def apply(_: Frame, items: Items, *arguments: Items) -> Items:
            value = expect(items, kind, f"the input of {name}()")
            given = [_argument(name, argument) for argument in arguments]
            if value is None or None in given:
                return []
            result = compute(value, *given)
            return [] if result is None else [result]

        FUNCTIONS[name] = Function(name, least, least if most is None else most, lazy=False, apply=apply)

    return register


def _argument(name: str, items: Items) -> Any:
    return expect(items, object, f"an argument of {name}()")
