"""What a doctor has filled in, read from a form: one row of fields for each line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData

from kangyun.support.drugs.decisions.choosing import usual_line, with_quantity
from kangyun.support.drugs.model import Diagnosis, Drug, Line, Prescription
from kangyun.support.drugs.queries.prescribers import today

_WORDS = ("dose_unit", "frequency", "route", "quantity_unit", "skin_test", "decoction", "confirmed", "remark")
_NUMBERS = ("dose", "days", "quantity")
_LONGEST = 500
_MOST = 60


def said(form: FormData, field: str) -> str:
    """One field, trimmed."""
    value = form.get(field, "")
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""


def number(text: str) -> float:
    """A number as typed; 0 where it is none, which the review and the action refuse by its field."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0 <= found < 1e9 else 0.0


def prescription(form: FormData, drugs: Mapping[str, Drug]) -> Prescription:
    """The prescription as it stands in the form, after the button that was pressed: a line added, dropped or counted anew."""
    kind = "herbal" if said(form, "kind") == "herbal" else "western"
    doses = int(number(said(form, "doses"))) or (7 if kind == "herbal" else 0)
    lines = _lines(form, drugs)
    added = drugs.get(said(form, "add"))
    if added:
        lines.append(usual_line(added, lines[-1].days if lines else _usual_days(form), doses))
    dropped = said(form, "drop")
    if dropped.isdecimal() and int(dropped) < len(lines):
        del lines[int(dropped)]
    if said(form, "count"):
        lines = [with_quantity(line, drugs[line.code], doses) if line.code in drugs else line for line in lines]
    return Prescription(
        kind, tuple(lines), _diagnoses(form), today(), setting=said(form, "setting") or "outpatient", reason=said(form, "reason"),
        long_term=bool(said(form, "long_term")), assessed=bool(said(form, "assessed")), syndrome=said(form, "syndrome"), doses=doses,
        valid_days=int(number(said(form, "valid_days"))) or 1)


def _usual_days(form: FormData) -> float:
    return 28 if said(form, "long_term") else 7


def _lines(form: FormData, drugs: Mapping[str, Drug]) -> list[Line]:
    codes = [str(one) for one in form.getlist("code")][:_MOST]
    columns: dict[str, list[str]] = {name: [str(one).strip()[:_LONGEST] for one in form.getlist(name)] for name in (*_WORDS, *_NUMBERS)}
    found: list[Line] = []
    for place, code in enumerate(codes):
        told: dict[str, Any] = {name: _at(columns[name], place) for name in _WORDS}
        told |= {name: number(_at(columns[name], place)) for name in _NUMBERS}
        found.append(Line(code=code, name=drugs[code].zh if code in drugs else "", **told))
    return found


def _at(column: list[str], place: int) -> str:
    return column[place] if place < len(column) else ""


def _diagnoses(form: FormData) -> tuple[Diagnosis, ...]:
    codes, texts = form.getlist("diagnosis"), form.getlist("diagnosis_text")
    pairs = zip(map(str, codes), map(str, texts), strict=False)
    return tuple(Diagnosis(code.strip()[:20], text.strip()[:_LONGEST]) for code, text in pairs if code.strip() or text.strip())
