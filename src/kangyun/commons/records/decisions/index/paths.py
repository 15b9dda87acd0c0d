"""Search expressions as plain paths into the JSON, found without a resource at hand.

The expressions of R4's search parameters are paths with a few conditions. Knowing the paths and the types at their
ends beforehand lets one walk over a resource serve all parameters (see tree.py); a general FHIRPath evaluation of each
expression costs several times as much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from kangyun.base.fhir import definitions
from kangyun.base.fhir.definitions import ElementDef
from kangyun.base.fhir.fhirpath.parser import parse
from kangyun.base.fhir.fhirpath.syntax import Binary, Call, Indexer, Literal, Member, Syntax, TypeOperation, Variable

_ABSTRACT = ("Resource", "DomainResource")
_SYSTEM_STRING = "http://hl7.org/fhirpath/System.String"


class UnknownShapeError(ValueError):
    """An expression is no path; the text is the expression's part."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition on the item reached: `field` equals `value`, it has the extension `value`, or it is item `value`."""

    kind: str
    field: str
    value: str

    def __str__(self) -> str:
        return f"[{self.field}={self.value}]"


Step: TypeAlias = str | Guard


@dataclass(frozen=True, slots=True)
class Path:
    """Where values stand: JSON names and guards from the resource down, and the FHIR type at the end.

    `single` is true when no step repeats. `target` is the type that `where(resolve() is X)` asks for.
    """

    steps: tuple[Step, ...]
    type: str
    element: ElementDef | None = None
    single: bool = True
    target: str | None = None

    def text(self, root: str) -> str:
        """`Observation.valueQuantity`; the name of a slot."""
        shown = root
        for step in self.steps:
            shown += f".{step}" if isinstance(step, str) else str(step)
        return shown


def follow(expression: str, start: Path, root: Path | None = None) -> list[Path]:
    """All paths that an expression means, from `start` (of type `start.type`); raises UnknownShapeError."""
    return _Follower(start, root or start).walk(parse(expression))


class _Follower:
    def __init__(self, start: Path, root: Path) -> None:
        self._start = start
        self._root = root

    def walk(self, syntax: Syntax) -> list[Path]:
        match syntax:
            case Member(target=None, name=name):
                at_root = name == self._start.type or name in _ABSTRACT
                return [self._start] if at_root else children(self._start, name)
            case Member(target=Syntax() as target, name=name):
                return [found for path in self.walk(target) for found in children(path, name)]
            case Variable(name="resource"):
                return [self._root]
            case Binary(operator="|", left=left, right=right):
                return self.walk(left) + self.walk(right)
            case TypeOperation(operator="as", operand=operand, type=wanted):
                return _of_type(self.walk(operand), wanted.name)
            case Indexer(target=target, index=Literal(value=index)):
                return [_guarded(path, Guard("index", "index", str(index))) for path in self.walk(target)]
            case Call(target=Syntax() as target, name=name, arguments=(argument,)) if name in _CALLS:
                return _CALLS[name](self.walk(target), argument)
            case _:
                raise UnknownShapeError(str(syntax))


def children(path: Path, name: str) -> list[Path]:
    """The paths of one element below a path, one for each type of a choice."""
    kind = definitions.load().types.get(path.type)
    element = kind.elements.get(name) if kind else None
    if element is None:
        return []
    single = path.single and not element.repeats
    return [
        Path((*path.steps, json), element.structure or _simple(ref.code), element, single)
        for json, ref in element.names().items()
    ]


def _simple(code: str) -> str:
    return "string" if code == _SYSTEM_STRING else code


def _of_type(paths: list[Path], name: str) -> list[Path]:
    # R4 writes DateTime for dateTime in one place.
    return [path for path in paths if path.type.lower() == name.lower()]


def _guarded(path: Path, guard: Guard) -> Path:
    return replace(path, steps=(*path.steps, guard))


def _as(paths: list[Path], argument: Syntax) -> list[Path]:
    if not isinstance(argument, Member):
        raise UnknownShapeError(str(argument))
    return _of_type(paths, argument.name)


def _extension(paths: list[Path], argument: Syntax) -> list[Path]:
    if not isinstance(argument, Literal):
        raise UnknownShapeError(str(argument))
    guard = Guard("equals", "url", str(argument.value))
    return [_guarded(found, guard) for path in paths for found in children(path, "extension")]


def _where(paths: list[Path], argument: Syntax) -> list[Path]:
    match argument:
        case TypeOperation(operator="is", operand=Call(name="resolve"), type=wanted):
            return [replace(path, target=wanted.name) for path in paths]
        case Binary(operator="=", left=Member(target=None, name=name), right=Literal(value=value)):
            return [_guarded(path, Guard("equals", name, str(value))) for path in paths]
        case Call(target=None, name="hasExtension", arguments=(Literal(value=url),)):
            return [_guarded(path, Guard("extension", "extension", str(url))) for path in paths]
        case _:
            raise UnknownShapeError(str(argument))


_CALLS: dict[str, Callable[[list[Path], Syntax], list[Path]]] = {
    "as": _as,
    "ofType": _as,
    "extension": _extension,
    "where": _where,
}
