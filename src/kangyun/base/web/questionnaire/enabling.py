"""Which questions are asked at all: ``enableWhen`` and ``enableBehavior`` of R4 Questionnaire."""

from __future__ import annotations

from collections.abc import Iterable

from kangyun.base.web.questionnaire.answers import comparable, less
from kangyun.base.web.questionnaire.model import Condition, Node, Question, key_of

Scope = list[dict[str, list[Node]]]
"""Answers by linkId, from the innermost group to the whole form; only answers to enabled questions stand in it."""


def is_enabled(question: Question, scope: Scope) -> bool:
    """Say whether a question is asked, given the answers around it."""
    if not question.conditions:
        return True
    verdicts = (holds(condition, _nearest(condition.question, scope)) for condition in question.conditions)
    return any(verdicts) if question.any_condition else all(verdicts)


def _nearest(link_id: str, scope: Scope) -> list[Node]:
    return next((answers[link_id] for answers in scope if link_id in answers), [])


def holds(condition: Condition, answers: Iterable[Node]) -> bool:
    """Say whether a condition is met by any of the answers; ``exists`` asks whether there is one at all."""
    given = list(answers)
    if condition.operator == "exists":
        return bool(given) == (condition.key == "true")
    if condition.operator == "!=":
        return not any(_equal(condition, answer) for answer in given)
    return any(_compare(condition, answer) for answer in given)


def _compare(condition: Condition, answer: Node) -> bool:
    limit = comparable({"valueDecimal": condition.key}) if not isinstance(comparable(answer), str) else condition.key
    value = comparable(answer)
    match condition.operator:
        case "=":
            return _equal(condition, answer)
        case ">":
            return less(limit, value)
        case "<":
            return less(value, limit)
        case ">=":
            return not less(value, limit)
        case _:
            return not less(limit, value)


def _equal(condition: Condition, answer: Node) -> bool:
    """Compare as written; a coding without system in the condition matches the code of any system."""
    given = key_of(answer)
    if condition.key.startswith("|") and "valueCoding" in answer:
        return given.rpartition("|")[2] == condition.key[1:]
    value = comparable(answer)
    return value == comparable({"valueDecimal": condition.key}) if not isinstance(value, str) else given == condition.key
