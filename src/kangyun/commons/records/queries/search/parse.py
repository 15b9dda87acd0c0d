"""The parameters of a search request -> Query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kangyun.commons.records.decisions.index.extraction import COMPARTMENT
from kangyun.commons.records.decisions.index.parameters import Parameter
from kangyun.commons.records.decisions.index.paths import Path
from kangyun.commons.records.decisions.index.slots import NAME_PARTS
from kangyun.commons.records.decisions.sealing import IDENTITY
from kangyun.commons.records.model import is_type
from kangyun.commons.records.queries.search.conditions import Condition, HasToken
from kangyun.commons.records.queries.search.filters import Reader, UnknownParameterError, find
from kangyun.commons.records.queries.search.query import DEFAULT_ROWS, MOST_ROWS, Include, Query, SortKey
from kangyun.commons.records.queries.search.refusals import bad_modifier, bad_value, unknown, unsupported
from kangyun.commons.records.queries.search.syntax import split

TOTALS = ("none", "estimate", "accurate")
# What the REST layer answers; the search leaves them alone and keeps them in the links.
_FORMAT = frozenset({"_format", "_pretty", "_summary", "_elements"})
_CURSOR = "_cursor"


@dataclass(slots=True)
class _Draft:
    """A query while its parameters are read."""

    reader: Reader
    types: tuple[str, ...]
    conditions: list[Condition] = field(default_factory=list[Condition])
    sort: list[SortKey] = field(default_factory=list[SortKey])
    includes: list[Include] = field(default_factory=list[Include])
    count: int = DEFAULT_ROWS
    total: str | None = None
    cursor: str | None = None
    kept: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    ignored: list[str] = field(default_factory=list[str])

    @property
    def type(self) -> str | None:
        return self.types[0] if len(self.types) == 1 else None


def parse(
    type_name: str | None,
    params: Sequence[tuple[str, str]],
    *,
    strict: bool,
    now: datetime,
    compartment: int | None = None,
) -> Query:
    """Read the parameters of a search over one type, or over all types with None.

    `strict` makes an unknown parameter a fault, otherwise it is ignored and listed. `compartment` is the key of a
    resident: only what is in that compartment. Raises Problem 400 that names the parameter.
    """
    draft = _Draft(Reader(now), (type_name,) if type_name else _types(params))
    if compartment is not None:
        draft.conditions.append(HasToken((compartment ^ COMPARTMENT,)))
    for name, value in params:
        if "\x00" in value or "\x00" in name:
            raise bad_value(name.replace("\x00", ""))
        _read(draft, name, value, strict=strict)
    return Query(
        draft.types, tuple(draft.conditions), tuple(draft.sort), tuple(draft.includes), draft.count, draft.total,
        draft.cursor, tuple(draft.kept), tuple(draft.ignored),
    )


def _types(params: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The types of `_type=A,B`; none: all."""
    found = [type_ for name, value in params if name == "_type" for type_ in value.split(",")]
    if not all(is_type(type_) for type_ in found):
        raise bad_value("_type")
    return tuple(dict.fromkeys(found))


def _read(draft: _Draft, name: str, value: str, *, strict: bool) -> None:
    special = _SPECIAL.get(name.partition(":")[0])
    try:
        if special:
            special(draft, name, value)
        elif not value:
            # R4: a parameter without a value is as if it were not there.
            draft.ignored.append(name)
            return
        elif name not in _FORMAT and name != "_type":
            draft.conditions.append(draft.reader.condition(draft.type, name, value))
    except UnknownParameterError:
        if strict:
            raise unknown(name, draft.type or "Resource") from None
        draft.ignored.append(name)
        return
    if name != _CURSOR:
        draft.kept.append((name, value))


def _count(draft: _Draft, name: str, value: str) -> None:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise bad_value(name)
    draft.count = min(int(value), MOST_ROWS)


def _total(draft: _Draft, name: str, value: str) -> None:
    if value not in TOTALS:
        raise bad_value(name)
    draft.total = value


def _cursor(draft: _Draft, _name: str, value: str) -> None:
    draft.cursor = value


def _sort(draft: _Draft, name: str, value: str) -> None:
    for key in value.split(","):
        code = key.removeprefix("-")
        if not code:
            raise bad_value(name)
        draft.sort.append(sort_key(draft.type, code, descending=key.startswith("-")))


def sort_key(type_name: str | None, code: str, *, descending: bool) -> SortKey:
    """How to sort by a parameter; raises UnknownParameterError, or Problem 400 for one that has no order."""
    parameter = find(type_name, code)
    kind, values = _sort_values(parameter)
    return SortKey(code, kind, descending, values)


def _sort_values(parameter: Parameter) -> tuple[str, tuple[int | str, ...]]:
    if parameter.code == "_lastUpdated":
        return "updated", ()
    if parameter.code == "_id":
        return "id", ()
    slots = [use.slot for use in parameter.uses]
    if any(slot.telling for slot in slots) and parameter.type in IDENTITY:
        # What is sealed has no order that a statement could see.
        raise bad_modifier("_sort", parameter.code)
    match parameter.kind:
        case "date" | "number" | "quantity":
            return "span", tuple(dict.fromkeys(slot.seed for slot in slots))
        case "string":
            order = sorted(slots, key=lambda slot: _name_part(slot.path))
            return "text", tuple(dict.fromkeys(slot.letters for slot in order))
        case "token" | "reference" | "uri":
            return "json", tuple(dict.fromkeys(json_path(slot.path, slot.type) for slot in slots))
        case _:
            raise bad_modifier("_sort", parameter.code)


def _name_part(path: Path) -> int:
    """People are sorted by surname, then whole name, then the other parts."""
    last = str(path.steps[-1])
    return ("family", "text", *NAME_PARTS).index(last) if last in NAME_PARTS else 0


_INSIDE = {
    "Coding": ".code", "CodeableConcept": ".coding.code", "Identifier": ".value", "ContactPoint": ".value",
    "Reference": ".reference", "Resource": ".id",
}  # fmt: skip


def json_path(path: Path, fhir_type: str) -> str:
    """An SQL/JSON path (lax) to the values of a search path."""
    text = "$"
    for step in path.steps:
        if isinstance(step, str):
            text += f'."{step}"'
        elif step.kind == "equals":
            text += f' ? (@."{step.field}" == "{step.value}")'
    return text + _INSIDE.get(fhir_type, "")


def _include(draft: _Draft, name: str, value: str) -> None:
    code, _, modifier = name.partition(":")
    if modifier not in {"", "iterate", "recurse"}:
        raise bad_modifier(code, modifier)
    reverse, iterate = code == "_revinclude", bool(modifier)
    if value == "*":
        draft.includes.append(Include(None, None, None, reverse, iterate))
        return
    parts = value.split(":")
    if len(parts) not in {2, 3} or not is_type(parts[0]) or (len(parts) == 3 and not is_type(parts[2])):
        raise bad_value(name)
    if parts[1] != "*" and find(parts[0], parts[1]).kind != "reference":
        raise bad_value(name)
    source, param = parts[0], None if parts[1] == "*" else parts[1]
    draft.includes.append(Include(source, param, parts[2] if len(parts) == 3 else None, reverse, iterate))


def _contained(_draft: _Draft, name: str, value: str) -> None:
    if value != "false":
        raise unsupported(name)


_SPECIAL: dict[str, Callable[[_Draft, str, str], None]] = {
    "_count": _count,
    "_total": _total,
    _CURSOR: _cursor,
    "_sort": _sort,
    "_include": _include,
    "_revinclude": _include,
    "_contained": _contained,
    "_containedType": _contained,
}
SPECIAL = frozenset(_SPECIAL)

__all__ = ["SPECIAL", "TOTALS", "parse", "split"]
