"""From a resource to the row that the database takes: validated, indexed, serialised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.fhir.validation import validate
from kangyun.commons.records.decisions import index, sealing
from kangyun.commons.records.model import Stored, is_id, key_of, type_code

# The fields of the SQL type record_entry, in its order (migration 0102).
Entry = tuple[Any, ...]

_BORN = {"Patient", "Person", "RelatedPerson", "Practitioner"}


def check_id(id_: str, expression: str | None = None) -> str:
    """The id, or Problem 400 when it breaks the rule of the FHIR type id."""
    if not is_id(id_):
        raise refuse(400, "value", "records.bad-id", expression)
    return id_


def check(resource: dict[str, Any], place: str | None = None) -> None:
    """Validate; raises Problem 422 with every error, each under its place such as `Bundle.entry[3]`."""
    faults = errors(resource, place)
    if faults:
        raise Problem(422, *faults)


def errors(resource: dict[str, Any], place: str | None) -> Sequence[Issue]:
    """What keeps a resource from being stored.

    A Bundle is how other systems send what happened: a birth that is to come is as wrong there as in any message. By itself a
    resource is stored as FHIR allows it.
    """
    found = [issue for issue in validate(resource) if issue.severity in {"error", "fatal"}]
    if not found and place is not None and resource.get("resourceType") in _BORN and clock.is_later(str(resource.get("birthDate", "")), clock.now()):
        found = [Issue("value", "records.born-later", expression=f"{resource['resourceType']}.birthDate")]
    return moved(Problem(422, *found), str(resource.get("resourceType", "")), place).issues if found else ()


def moved(problem: Problem, type_: str, place: str | None) -> Problem:
    """The same problem of one entry of a Bundle: `Patient.gender` becomes `Bundle.entry[3].resource.gender`."""
    if place is None:
        return problem
    return Problem(problem.status, *(replace(i, expression=_moved(i.expression, type_, place)) for i in problem.issues))


def _moved(expression: str | None, type_: str, place: str) -> str:
    return f"{place}.request" if expression is None else f"{place}.resource{expression.removeprefix(type_)}"


def entry(resource: dict[str, Any], id_: str, updated: datetime, expected: int | None) -> Entry:
    """The row of a resource that is written; `resource` is valid."""
    type_ = resource["resourceType"]
    found = index.extract(resource if resource.get("id") == id_ else {**resource, "id": id_})
    meta, body = serialise(resource)
    return (
        False, expected, found.resident, found.key, type_code(type_), id_, updated, meta, sealing.kept(resource, id_, body),
        _numbers(found.tokens), _lexemes(found.strings), _numbers(found.links), _spans(found.spans),
    )


def removal(type_: str, id_: str, updated: datetime, expected: int | None) -> Entry:
    """The row of a deletion: the id stays known, everything else goes to history."""
    key = key_of(type_, id_)
    return (True, expected, key, key, type_code(type_), id_, updated, None, None, None, None, None, None)


def serialise(resource: dict[str, Any]) -> tuple[str | None, str]:
    """The texts stored: what stands in meta beside versionId and lastUpdated, and the rest without id and meta."""
    rest: dict[str, Any] = {"resourceType": "", **resource}
    rest.pop("id", None)
    meta = {k: v for k, v in rest.pop("meta", {}).items() if k not in {"versionId", "lastUpdated"}}
    return (fhir_json.dumps(meta).decode()[1:-1] if meta else None), fhir_json.dumps(rest).decode()


def _numbers(numbers: Sequence[int]) -> str | None:
    """The literal of a bigint[]."""
    return f"{{{','.join(map(str, numbers))}}}" if numbers else None


def _lexemes(words: Sequence[str]) -> str | None:
    """The literal of a tsvector; quotes and backslashes are doubled."""
    if not words:
        return None
    text = "\n".join(words)
    if "'" in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace("'", "''")
    return "'" + text.replace("\n", "' '") + "'"


def _spans(spans: Sequence[tuple[Any, ...]]) -> str | None:
    """The literal of a span_entry[]."""
    if not spans:
        return None
    rows = [
        f'"({param},{lo},{hi},{_or_null(unit)},{_or_null(text)},{_or_null(full)},{least},{greatest})"'
        for param, lo, hi, unit, text, full, least, greatest in spans
    ]
    return "{" + ",".join(rows) + "}"


def _or_null(number: int | None) -> int | str:
    return "" if number is None else number


def rewritten(stored: Stored, resource: dict[str, Any]) -> Stored:
    """The same version with other content, as somebody sees it who may not see all."""
    meta, body = serialise(resource)
    return replace(stored, meta=meta, kept=body)
