"""Reads a posted form back into a QuestionnaireResponse, with the errors of each field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from kangyun.base.web.questionnaire.answers import FieldError, Unreadable, decode, encode, unit_of
from kangyun.base.web.questionnaire.enabling import Scope, is_enabled
from kangyun.base.web.questionnaire.model import Form, Node, Question

Values = Mapping[str, Sequence[str]]
"""What a form holds: field name -> its values in order."""

OTHER = ":other"
UNIT = ":unit"


@dataclass(slots=True)
class Reading:
    """The response and, by field name, what is wrong; the response is complete when ``errors`` is empty."""

    response: Node
    errors: dict[str, list[FieldError]] = field(default_factory=dict[str, list[FieldError]])


def name_of(parent: str, question: Question) -> str:
    """Name the field of a question inside ``parent``: linkIds joined by slashes."""
    return f"{parent}/{quote(question.link_id, safe='')}" if parent else quote(question.link_id, safe="")


def instance(name: str, index: int) -> str:
    """Name the ``index``-th repetition of a group, or the questions below the ``index``-th answer."""
    return f"{name}:{index}"


def values_of(pairs: Iterable[tuple[str, object]]) -> dict[str, list[str]]:
    """Collect the pairs of a posted form (``form.multi_items()``); uploads are left out."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if isinstance(value, str):
            found.setdefault(name, []).append(value.strip())
    return found


def read(form: Form, values: Values) -> Reading:
    """Read a posted form.

    Questions that are not enabled are left out, whatever was sent for them.
    """
    reading = Reading({"resourceType": "QuestionnaireResponse", "status": "completed"})
    if form.canonical:
        reading.response["questionnaire"] = form.canonical
    items = _items(form.questions, "", values, [], reading)
    if items:
        reading.response["item"] = items
    return reading


def _items(questions: Iterable[Question], parent: str, values: Values, outer: Scope, reading: Reading) -> list[Node]:
    asked = list(questions)
    scope: Scope = [_answers_here(asked, parent, values, outer), *outer]
    found: list[Node] = []
    for question in asked:
        if question.kind != "display" and is_enabled(question, scope):
            found.extend(_read_one(question, name_of(parent, question), values, scope, reading))
    return found


def _answers_here(questions: Iterable[Question], parent: str, values: Values, outer: Scope) -> dict[str, list[Node]]:
    """Decode quietly what conditions may ask about; a question that is itself not enabled counts as unanswered."""
    here: dict[str, list[Node]] = {}
    for question in questions:
        if question.is_asked and is_enabled(question, [here, *outer]):
            here[question.link_id] = [answer for answer, _ in _decoded(question, name_of(parent, question), values) if isinstance(answer, dict)]
        for name in _instances(question, name_of(parent, question), values):
            if question.children and is_enabled(question, [here, *outer]):
                for link_id, answers in _answers_here(question.children, name, values, [here, *outer]).items():
                    here.setdefault(link_id, []).extend(answers)
    return here


def _read_one(question: Question, name: str, values: Values, scope: Scope, reading: Reading) -> list[Node]:
    if question.is_group:
        return _read_groups(question, name, values, scope, reading)
    answers = _read_answers(question, name, values, reading)
    for row, answer in answers.items():
        below = _items(question.children, instance(name, row), values, scope, reading) if question.children else []
        if below:
            answer["item"] = below
    return [_item(question) | {"answer": list(answers.values())}] if answers else []


def _read_groups(question: Question, name: str, values: Values, scope: Scope, reading: Reading) -> list[Node]:
    found: list[Node] = []
    for each in _instances(question, name, values):
        inner = Reading(reading.response)
        items = _items(question.children, each, values, scope, inner)
        if items:
            found.append(_item(question) | {"item": items})
        reading.errors.update(inner.errors if items or question.required else _without_missing(inner.errors))
    if question.required and not found:
        reading.errors.setdefault(name, []).append(FieldError("form.error.required"))
    return found


def _without_missing(errors: dict[str, list[FieldError]]) -> dict[str, list[FieldError]]:
    """Forgive the missing answers of an optional group that was left empty altogether."""
    kept = {name: [fault for fault in faults if fault.key != "form.error.required"] for name, faults in errors.items()}
    return {name: faults for name, faults in kept.items() if faults}


def _read_answers(question: Question, name: str, values: Values, reading: Reading) -> dict[int, Node]:
    """Read the answers by the row of the form that they stand in, since questions below an answer name that row."""
    answers: dict[int, Node] = {}
    for answer, row in _decoded(question, name, values):
        if isinstance(answer, FieldError):
            reading.errors.setdefault(name, []).append(answer)
        else:
            answers[row] = dict(answer)
    if question.required and not answers and name not in reading.errors and question.kind != "attachment":
        reading.errors.setdefault(name, []).append(FieldError("form.error.required"))
    return answers


def _decoded(question: Question, name: str, values: Values) -> list[tuple[Node | FieldError, int]]:
    if question.kind == "attachment":
        return []
    texts = [*values.get(name, ()), *(values.get(name + OTHER, ()) if question.kind == "open-choice" else ())]
    units = list(values.get(name + UNIT, ()))
    given = [(text, units[row] if row < len(units) else "", row) for row, text in enumerate(texts) if text]
    kept = given if question.repeats else [(text, unit, 0) for text, unit, _ in given[-1:]]
    return [(_decode(question, text, unit), row) for text, unit, row in kept]


def _decode(question: Question, text: str, unit: str) -> Node | FieldError:
    try:
        return decode(question, text, unit)
    except Unreadable as problem:
        return problem.error


def _instances(question: Question, name: str, values: Values) -> list[str]:
    if not question.repeats or (question.is_asked and question.options):
        return [instance(name, 0)]
    pattern = re.compile(re.escape(name) + r":(\d{1,3})/")
    numbers = {int(match[1]) for key in values if (match := pattern.match(key))}
    return [instance(name, index) for index in sorted(numbers or {0})]


def _item(question: Question) -> Node:
    return {"linkId": question.link_id} | ({"text": question.raw_text} if question.raw_text else {})


def write(form: Form, response: Node) -> dict[str, list[str]]:
    """Write a QuestionnaireResponse as the values its form would hold; ``read`` of them gives the response again."""
    values: dict[str, list[str]] = {}
    _write_items(form.questions, "", response.get("item", []), values)
    return values


def _write_items(questions: Iterable[Question], parent: str, items: Sequence[Node], values: dict[str, list[str]]) -> None:
    for question in questions:
        name = name_of(parent, question)
        mine = [item for item in items if item.get("linkId") == question.link_id]
        if question.is_group:
            for index, item in enumerate(mine):
                _write_items(question.children, instance(name, index), item.get("item", []), values)
        else:
            _write_answers(question, name, [answer for item in mine for answer in item.get("answer", [])], values)


def _write_answers(question: Question, name: str, answers: Sequence[Node], values: dict[str, list[str]]) -> None:
    keys = {option.key for option in question.options}
    for index, answer in enumerate(answers):
        text = encode(question, answer)
        free = question.kind == "open-choice" and ("valueString" in answer and text not in keys)
        values.setdefault(name + OTHER if free else name, []).append(text)
        if question.kind == "quantity":
            values.setdefault(name + UNIT, []).append(unit_of(answer))
        _write_items(question.children, instance(name, index), answer.get("item", []), values)


def first_values(form: Form) -> dict[str, list[str]]:
    """Return what a new form holds: each question's ``initial`` and each option's ``initialSelected``."""
    values: dict[str, list[str]] = {}
    _first(form.questions, "", values)
    return values


def _first(questions: Iterable[Question], parent: str, values: dict[str, list[str]]) -> None:
    for question in questions:
        name = name_of(parent, question)
        if question.is_asked:
            chosen = [option.answer for option in question.options if option.chosen_first]
            _write_answers(question, name, [*question.initial, *chosen], values)
        _first(question.children, instance(name, 0), values)
