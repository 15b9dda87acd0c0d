"""Two Patients side by side: the rows that a reviewer compares, with what differs marked letter by letter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from kangyun.commons.population.decisions.card import legal_name
from kangyun.commons.population.decisions.matching import Evidence, FieldEvidence
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a value, and whether the other side has it too."""

    text: str
    same: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One field of both: its values in pieces, each value a list, and what the field weighs (None: not compared)."""

    field: str
    left: tuple[tuple[Piece, ...], ...]
    right: tuple[tuple[Piece, ...], ...]
    evidence: FieldEvidence | None


def rows(left: Node, right: Node, evidence: Evidence | None) -> list[Row]:
    """The fields that at least one side has, those that speak loudest first."""
    weights = {one.field: one for one in evidence.fields} if evidence else {}
    found = [_row(field, read(left), read(right), weights.get(field)) for field, read in _FIELDS.items()]
    told = [row for row in found if row.left or row.right]
    return sorted(told, key=lambda row: -abs(row.evidence.bits) if row.evidence else 0.0)


def _row(field: str, left: list[str], right: list[str], evidence: FieldEvidence | None) -> Row:
    cut = _whole if field == "sex" else pieces
    return Row(field, tuple(cut(value, right) for value in left), tuple(cut(value, left) for value in right), evidence)


def _whole(value: str, others: Iterable[str]) -> tuple[Piece, ...]:
    """A code is a word, not letters."""
    return (Piece(value, value in set(others)),)


def pieces(value: str, others: Iterable[str]) -> tuple[Piece, ...]:
    """The value in stretches that its most alike counterpart has too or has not; whole where there is none."""
    nearest = max(others, key=lambda other: SequenceMatcher(None, value, other, autojunk=False).ratio(), default="")
    matcher = SequenceMatcher(None, value, nearest, autojunk=False)
    found: list[Piece] = []
    at = 0
    for start, _, length in matcher.get_matching_blocks():
        if start > at:
            found.append(Piece(value[at:start], same=False))
        if length:
            found.append(Piece(value[start : start + length], same=True))
        at = start + length
    return tuple(found)


def _names(patient: Node) -> list[str]:
    texts = [str(name.get("text") or "".join([str(name.get("family", "")), *name.get("given", [])])) for name in patient.get("name", [])]
    return list(dict.fromkeys(text for text in [legal_name(dict(patient)), *texts] if text))


def _numbers(patient: Node) -> list[str]:
    return [str(one["value"]) for one in patient.get("identifier", []) if one.get("system") == ID_NUMBER_SYSTEM and one.get("value")]


def _documents(patient: Node) -> list[str]:
    return [str(one["value"]) for one in patient.get("identifier", []) if one.get("system") != ID_NUMBER_SYSTEM and one.get("value")]


def _phones(patient: Node) -> list[str]:
    return list(dict.fromkeys(str(one["value"]) for one in patient.get("telecom", []) if one.get("value")))


def _addresses(patient: Node) -> list[str]:
    return [_address(one) for one in patient.get("address", []) if _address(one)]


def _address(one: Node) -> str:
    parts = [*(str(one.get(name, "")) for name in ("state", "city", "district")), *map(str, one.get("line", []))]
    return str(one.get("text") or "".join(parts))


def _contacts(patient: Node) -> list[str]:
    return [str(one.get("name", {}).get("text", "")) for one in patient.get("contact", []) if one.get("name", {}).get("text")]


def _plain(*names: str) -> Callable[[Node], list[str]]:
    return lambda patient: [str(patient[name]) for name in names if name in patient]


_FIELDS: dict[str, Callable[[Node], list[str]]] = {
    "name": _names, "id_number": _numbers, "birth": _plain("birthDate"), "sex": _plain("gender"), "phone": _phones,
    "address": _addresses, "document": _documents, "parent": _contacts, "birth_order": _plain("multipleBirthInteger"),
    "death": _plain("deceasedDateTime"),
}
