"""Turns questions and form values into plain views that the template ``questionnaire.html`` draws."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kangyun.base.web.questionnaire.answers import FieldError, Unreadable, decode
from kangyun.base.web.questionnaire.enabling import Scope, is_enabled
from kangyun.base.web.questionnaire.model import Form, Node, Option, Question
from kangyun.base.web.questionnaire.reading import OTHER, UNIT, Values, first_values, instance, name_of

_FEW = 7
_INPUT_TYPES = {"date": "date", "dateTime": "datetime-local", "time": "time", "url": "url"}
_FULL_LENGTHS = {"date": 10, "dateTime": 16, "time": 5}


@dataclass(frozen=True, slots=True)
class Choice:
    """One option as drawn."""

    key: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class FieldView:
    """One question as drawn; ``rows`` are its values, ``below`` the questions inside each repetition or answer."""

    id: str
    name: str
    link_id: str
    label: str
    kind: str
    widget: str
    input_type: str
    required: bool
    repeats: bool
    read_only: bool
    max_length: int | None
    rows: tuple[str, ...]
    choices: tuple[Choice, ...]
    other: str
    units: tuple[tuple[Choice, ...], ...]
    free_units: tuple[str, ...]
    errors: tuple[str, ...]
    asked: bool
    when: str | None
    any_condition: bool
    below: tuple[tuple[FieldView, ...], ...]

    @property
    def described_by(self) -> str | None:
        """The id of the element that tells the errors, for screen readers."""
        return f"{self.id}-error" if self.errors else None


@dataclass(frozen=True, slots=True)
class FormView:
    """A whole form as drawn."""

    title: str
    description: str
    fields: tuple[FieldView, ...]
    has_errors: bool


@dataclass(frozen=True, slots=True)
class _Drawing:
    values: Values
    errors: Mapping[str, Sequence[FieldError]]
    language: str
    more: str | None


def view(
    form: Form,
    language: str,
    values: Values | None = None,
    errors: Mapping[str, Sequence[FieldError]] | None = None,
    more: str | None = None,
) -> FormView:
    """Prepare a form for drawing.

    ``values`` are those of ``write`` or of what was posted (default: the initial values), ``errors`` those of ``read``,
    ``more`` the name of a repeating question that should get one more row (the form's button ``more`` sends it).
    """
    drawing = _Drawing(first_values(form) if values is None else values, errors or {}, language, more)
    fields = _fields(form.questions, "", [], drawing)
    return FormView(form.title[language], form.description[language], fields, bool(errors))


def _fields(questions: Iterable[Question], parent: str, outer: Scope, drawing: _Drawing) -> tuple[FieldView, ...]:
    here: dict[str, list[Node]] = {}
    found: list[FieldView] = []
    for question in questions:
        asked = is_enabled(question, [here, *outer])
        name = name_of(parent, question)
        if asked and question.is_asked:
            here[question.link_id] = _quietly(question, drawing.values.get(name, ()))
        found.append(_field(question, name, asked, [here, *outer], drawing))
    return tuple(found)


def _quietly(question: Question, texts: Sequence[str]) -> list[Node]:
    answers: list[Node] = []
    for text in texts:
        try:
            answers.extend([decode(question, text)] if text and question.kind != "attachment" else [])
        except Unreadable:
            continue
    return answers


def _field(question: Question, name: str, asked: bool, scope: Scope, drawing: _Drawing) -> FieldView:
    rows = tuple(drawing.values.get(name, ()))
    return FieldView(
        id="q-" + "".join(sign if sign.isalnum() else "-" for sign in name),
        name=name,
        link_id=question.link_id,
        label=question.text[drawing.language],
        kind=question.kind,
        widget=_widget(question),
        input_type=_input_type(question, rows),
        required=question.required,
        repeats=question.repeats,
        read_only=question.read_only,
        max_length=question.max_length,
        rows=_padded(question, name, rows, drawing),
        choices=_choices(question.options, rows, drawing.language),
        other=" ".join(drawing.values.get(name + OTHER, ())),
        units=tuple(_choices(question.units, (unit,), drawing.language) for unit in _units(question, name, rows, drawing)),
        free_units=_units(question, name, rows, drawing),
        errors=tuple(error.text(drawing.language) for error in drawing.errors.get(name, ())),
        asked=asked,
        when=_when(question),
        any_condition=question.any_condition,
        below=_below(question, name, scope, drawing),
    )


def _widget(question: Question) -> str:
    if question.kind in {"group", "display", "boolean", "quantity", "attachment"}:
        return question.kind
    if question.options:
        return _option_widget(question)
    return "area" if question.kind == "text" else "line"


def _option_widget(question: Question) -> str:
    if question.repeats:
        return "checks"
    many = len(question.options) > _FEW or question.control in {"drop-down", "autocomplete"}
    return "select" if many and question.control != "radio-button" else "radios"


def _input_type(question: Question, rows: Sequence[str]) -> str:
    """Partial dates such as 1953 or 1953-04 cannot stand in a browser's date field, so those rows are plain text."""
    full = _FULL_LENGTHS.get(question.kind, 0)
    return "text" if any(row and len(row) < full for row in rows) else _INPUT_TYPES.get(question.kind, "text")


def _padded(question: Question, name: str, rows: tuple[str, ...], drawing: _Drawing) -> tuple[str, ...]:
    more = ("",) if question.repeats and drawing.more == name else ()
    return (*rows, *more) if rows else ("", *more)


def _units(question: Question, name: str, rows: Sequence[str], drawing: _Drawing) -> tuple[str, ...]:
    if question.kind != "quantity":
        return ()
    given = tuple(drawing.values.get(name + UNIT, ()))
    missing = len(_padded(question, name, tuple(rows), drawing)) - len(given)
    return given + ("",) * max(missing, 0)


def _choices(options: Iterable[Option], rows: Sequence[str], language: str) -> tuple[Choice, ...]:
    return tuple(Choice(option.key, option.label[language], option.key in rows) for option in options)


def _when(question: Question) -> str | None:
    if not question.conditions:
        return None
    conditions: list[dict[str, Any]] = [
        {"question": one.question, "operator": one.operator, "key": one.key} for one in question.conditions
    ]
    return json.dumps(conditions, ensure_ascii=False)


def _below(question: Question, name: str, scope: Scope, drawing: _Drawing) -> tuple[tuple[FieldView, ...], ...]:
    if not question.children:
        return ()
    count = _repetitions(question, name, drawing)
    return tuple(_fields(question.children, instance(name, index), scope, drawing) for index in range(count))


def _repetitions(question: Question, name: str, drawing: _Drawing) -> int:
    if not question.repeats or question.options:
        return 1
    if question.is_asked:
        return len(_padded(question, name, tuple(drawing.values.get(name, ())), drawing))
    heads = [key[len(name) + 1 :].partition("/")[0] for key in drawing.values if key.startswith(f"{name}:")]
    known = 1 + max((int(head) for head in heads if head.isdigit()), default=0)
    return min(known, 999) + (drawing.more == name)
