"""The table of functions; each module of this folder adds its own by decorators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from kangyun.base.fhir.fhirpath.frame import Frame
from kangyun.base.fhir.fhirpath.nodes import Item
from kangyun.base.fhir.fhirpath.values import expect

Items: TypeAlias = list[Item]
Kind: TypeAlias = "type | tuple[type, ...]"
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
    name: str, kind: Kind, *arguments: Kind, optional: int = 0
) -> Callable[[Callable[..., Item | None]], None]:
    """Register a function of one value: an empty input or argument makes an empty result.

    ``kind`` is the Python type of the input, ``arguments`` those of the arguments, the last ``optional`` of which may be
    left out. The function gets system values and returns one, or None for empty.
    """

    def register(compute: Callable[..., Item | None]) -> None:
        def apply(_: Frame, items: Items, *given: Items) -> Items:
            value = expect(items, kind, f"the input of {name}()")
            values = [
                expect(one, wanted, f"an argument of {name}()") for one, wanted in zip(given, arguments, strict=False)
            ]
            if value is None or None in values:
                return []
            result = compute(value, *values)
            return [] if result is None else [result]

        most = len(arguments)
        FUNCTIONS[name] = Function(name, most - optional, most, lazy=False, apply=apply)

    return register
