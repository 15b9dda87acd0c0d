"""What a running expression can see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from kangyun.base import clock

from .model import Model
from .nodes import Item, Json, Node
from .temporal import DateTime, from_datetime

Resolve: TypeAlias = Callable[[str], "dict[str, Json] | None"]
# A compiled part of an expression.
Evaluate: TypeAlias = "Callable[[Frame], list[Item]]"


@dataclass(slots=True)
class Environment:
    """The same for a whole evaluation: definitions, the ``%`` variables and the hooks into the outside.

    ``member_of`` answers (code or Coding or CodeableConcept as JSON, value set URL); ``conforms_to`` (resource, profile URL).
    Without a hook memberOf() is empty and conformsTo() knows the base definitions only.
    """

    model: Model
    context: Node
    resource: Node
    root: Node
    variables: Mapping[str, Json]
    resolve: Resolve | None = None
    member_of: Callable[[Json, str], bool | None] | None = None
    conforms_to: Callable[[Json, str], bool | None] | None = None
    strict: bool = False
    started: DateTime | None = None

    def now(self) -> DateTime:
        """The one moment of an evaluation, whatever time passes during it (clause 5.9)."""
        if self.started is None:
            self.started = from_datetime(clock.now())
        return self.started


class Frame:
    """``$this`` as a collection, ``$index`` and ``$total`` of the innermost loop."""

    __slots__ = ("environment", "index", "this", "total")

    def __init__(
        self, environment: Environment, this: list[Item], index: int = 0, total: list[Item] | None = None
    ) -> None:
        self.environment = environment
        self.this = this
        self.index = index
        self.total = total

    def inner(self, item: Item, index: int) -> Frame:
        """The frame of one turn of a loop."""
        return Frame(self.environment, [item], index, self.total)
