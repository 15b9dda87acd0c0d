"""From what stands in a form field to a FHIR answer and back, for each question type."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from kangyun.base.web.display import CHINA, moment
from kangyun.base.web.questionnaire.model import Node, Question, key_of
from kangyun.base.web.texts import translate


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: a text key with its parameters."""

    key: str
    params: dict[str, Any] = field(default_factory=dict[str, Any])

    def text(self, language: str) -> str:
        """Tell it in "zh" or "en"."""
        return translate(language, self.key, **self.params)


class Unreadable(Exception):  # noqa: N818 - an expected outcome of reading what people type.
    """A field holds something else than its question asks for."""

    def __init__(self, key: str, **params: Any) -> None:
        super().__init__(key)
        self.error = FieldError(key, params)


_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}|urn:(uuid|oid):\S+|https?://\S+")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


def decode(question: Question, text: str, unit: str = "") -> Node:
    """Read one field as ``{"valueX": ...}``.

    Raises ``Unreadable`` with the text for the person who typed it.
    """
    if question.kind in {"choice", "open-choice"}:
        return _chosen(question, text)
    answer = _quantity(question, text, unit) if question.kind == "quantity" else _READERS[question.kind](text)
    _check_limits(question, answer, text)
    return answer


def encode(question: Question, answer: Node) -> str:
    """Write one answer as its field shows it; ``decode`` of it gives the same answer again."""
    if question.kind == "dateTime" and "T" in (text := str(answer.get("valueDateTime", ""))):
        when = moment(text)
        return when.replace(tzinfo=None).isoformat() if when else text
    return key_of(answer)


def unit_of(answer: Node) -> str:
    """Return the unit of a quantity as its field shows it."""
    quantity = answer.get("valueQuantity", {})
    return str(quantity.get("code") or quantity.get("unit", ""))


def _chosen(question: Question, text: str) -> Node:
    for option in question.options:
        if option.key == text:
            return option.answer
    if question.kind == "open-choice":
        return {"valueString": text}
    raise Unreadable("form.error.option")


def _boolean(text: str) -> Node:
    if text not in {"true", "false"}:
        raise Unreadable("form.error.option")
    return {"valueBoolean": text == "true"}


def number(text: str) -> Decimal | int | float:
    """Read a FHIR decimal so that writing it gives the same digits: 1.50 stays 1.50."""
    if not _NUMBER.fullmatch(text):
        raise Unreadable("form.error.number")
    if "." not in text:
        return int(text)
    return float(text) if repr(float(text)) == text else Decimal(text)


def _integer(text: str) -> Node:
    if not re.fullmatch(r"-?(0|[1-9]\d*)", text) or abs(int(text)) >= 2**31:
        raise Unreadable("form.error.integer")
    return {"valueInteger": int(text)}


def _date(text: str) -> Node:
    return {"valueDate": _full_or_partial(text)}


def _full_or_partial(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise Unreadable("form.error.date")
    try:
        date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        raise Unreadable("form.error.date") from None
    return text


def _date_time(text: str) -> Node:
    if "T" not in text:
        return {"valueDateTime": _full_or_partial(text)}
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable("form.error.date") from None
    return {"valueDateTime": (when if when.tzinfo else when.replace(tzinfo=CHINA)).isoformat()}


def _time(text: str) -> Node:
    try:
        return {"valueTime": time.fromisoformat(text).isoformat()}
    except ValueError:
        raise Unreadable("form.error.time") from None


def _url(text: str) -> Node:
    if not _URL.fullmatch(text):
        raise Unreadable("form.error.url")
    return {"valueUri": text}


def _reference(text: str) -> Node:
    if not _REFERENCE.fullmatch(text):
        raise Unreadable("form.error.reference")
    return {"valueReference": {"reference": text}}


def _quantity(question: Question, text: str, unit: str) -> Node:
    quantity: Node = {"value": number(text)}
    known = next((one for one in question.units if one.key == unit), None)
    if known is not None:
        quantity["unit"] = known.answer.get("display") or known.key
        quantity |= {name: known.answer[name] for name in ("system", "code") if name in known.answer}
    elif unit:
        quantity["unit"] = unit
    return {"valueQuantity": quantity}


_READERS: dict[str, Callable[[str], Node]] = {
    "boolean": _boolean,
    "decimal": lambda text: {"valueDecimal": number(text)},
    "integer": _integer,
    "date": _date,
    "dateTime": _date_time,
    "time": _time,
    "string": lambda text: {"valueString": text},
    "text": lambda text: {"valueString": text},
    "url": _url,
    "reference": _reference,
}


def _check_limits(question: Question, answer: Node, text: str) -> None:
    if question.max_length is not None and len(text) > question.max_length:
        raise Unreadable("form.error.long", limit=question.max_length)
    value = comparable(answer)
    if question.lowest and less(value, comparable(question.lowest)):
        raise Unreadable("form.error.low", limit=key_of(question.lowest))
    if question.highest and less(comparable(question.highest), value):
        raise Unreadable("form.error.high", limit=key_of(question.highest))


def comparable(answer: Node) -> Decimal | str:
    """Turn an answer into what can be ordered: a number, or text (ISO dates and times order as text)."""
    text = key_of(answer)
    try:
        numeric = answer.keys() & {"valueDecimal", "valueInteger", "valueQuantity"}
        return Decimal(text) if numeric else text
    except InvalidOperation:
        return text


def less(left: Decimal | str, right: Decimal | str) -> bool:
    """Compare two values of one kind; values of different kinds have no order."""
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return left < right
    return isinstance(left, str) and isinstance(right, str) and left < right
