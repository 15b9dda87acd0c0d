"""The parts of a parsed expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Syntax:
    """Base: every part knows the offset where it begins (for operators: where the operator stands)."""

    position: int


@dataclass(frozen=True, slots=True)
class Literal(Syntax):
    """A constant: bool, int, Decimal, str, Date, DateTime, Time or Quantity."""

    value: Any


@dataclass(frozen=True, slots=True)
class Empty(Syntax):
    """The empty collection ``{}``."""


@dataclass(frozen=True, slots=True)
class Special(Syntax):
    """``$this``, ``$index`` or ``$total``."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable(Syntax):
    """``%name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Member(Syntax):
    """``target.name``; without a target the name is looked up on the context."""

    target: Syntax | None
    name: str


@dataclass(frozen=True, slots=True)
class Call(Syntax):
    """``target.name(arguments)``."""

    target: Syntax | None
    name: str
    arguments: tuple[Syntax, ...]


@dataclass(frozen=True, slots=True)
class Indexer(Syntax):
    """``target[index]``."""

    target: Syntax
    index: Syntax


@dataclass(frozen=True, slots=True)
class Unary(Syntax):
    """``+operand`` or ``-operand``."""

    operator: str
    operand: Syntax


@dataclass(frozen=True, slots=True)
class Binary(Syntax):
    """``left operator right``."""

    operator: str
    left: Syntax
    right: Syntax


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type specifier: ``Patient``, ``FHIR.Patient``, ``System.String``."""

    namespace: str | None
    name: str


@dataclass(frozen=True, slots=True)
class TypeOperation(Syntax):
    """``operand is Type`` or ``operand as Type``."""

    operator: str
    operand: Syntax
    type: TypeName
