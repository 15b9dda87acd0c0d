"""A FHIR Questionnaire (R4, 4.0.1) read once into questions that are easy to render and to check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Node = dict[str, Any]
Texts = dict[str, str]
"""One text by language: ``{"zh": ..., "en": ...}``; a language without translation holds the original."""

OptionSource = Callable[[str], Iterable[Node]]
"""Gives the codings of a value set's canonical address, for value sets that are not contained."""

_EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
_TRANSLATION = f"{_EXTENSION}translation"


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to choose: ``key`` stands in the form, ``answer`` in the response."""

    key: str
    answer: Node
    label: Texts
    chosen_first: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One ``enableWhen``: the question asked about, the operator, and the answer as it is written in a form."""

    question: str
    operator: str
    key: str


@dataclass(frozen=True, slots=True)
class Question:
    """One item with everything its field needs."""

    link_id: str
    kind: str
    text: Texts
    raw_text: str | None
    required: bool
    repeats: bool
    read_only: bool
    max_length: int | None
    options: tuple[Option, ...]
    units: tuple[Option, ...]
    conditions: tuple[Condition, ...]
    any_condition: bool
    initial: tuple[Node, ...]
    lowest: Node | None
    highest: Node | None
    control: str | None
    children: tuple[Question, ...]

    @property
    def is_group(self) -> bool:
        """Whether it holds questions and no answer of its own."""
        return self.kind == "group"

    @property
    def is_asked(self) -> bool:
        """Whether people give an answer here."""
        return self.kind not in {"group", "display"}


@dataclass(frozen=True, slots=True)
class Form:
    """A whole questionnaire."""

    canonical: str | None
    title: Texts
    description: Texts
    questions: tuple[Question, ...]

    def every(self) -> Iterator[Question]:
        """Walk through all questions in reading order."""
        yield from _every(self.questions)


def _every(questions: Iterable[Question]) -> Iterator[Question]:
    for question in questions:
        yield question
        yield from _every(question.children)


def load(questionnaire: Node, options_of: OptionSource | None = None) -> Form:
    """Read a Questionnaire resource; ``options_of`` resolves value sets that are not contained in it."""
    url, version = questionnaire.get("url"), questionnaire.get("version")
    reader = _Reader(questionnaire, options_of)
    return Form(
        canonical=f"{url}|{version}" if url and version else url,
        title=reader.texts(questionnaire, "title"),
        description=reader.texts(questionnaire, "description"),
        questions=reader.questions(questionnaire),
    )


class _Reader:
    def __init__(self, questionnaire: Node, options_of: OptionSource | None) -> None:
        self.language = "en" if str(questionnaire.get("language", "zh")).startswith("en") else "zh"
        self.contained = {f"#{node.get('id')}": node for node in questionnaire.get("contained", [])}
        self.options_of = options_of

    def texts(self, node: Node, name: str) -> Texts:
        original = str(node.get(name) or "")
        found = {"zh": original, "en": original}
        for extension in node.get(f"_{name}", {}).get("extension", []):
            if extension.get("url") == _TRANSLATION:
                parts = {part["url"]: part for part in extension.get("extension", [])}
                language = str(parts.get("lang", {}).get("valueCode", ""))[:2]
                if language in found:
                    found[language] = _value(parts.get("content", {})) or original
        return found

    def questions(self, node: Node) -> tuple[Question, ...]:
        return tuple(self.question(item) for item in node.get("item", []))

    def question(self, item: Node) -> Question:
        return Question(
            link_id=item["linkId"],
            kind=item["type"],
            text=self.texts(item, "text"),
            raw_text=item.get("text"),
            required=item.get("required", False),
            repeats=item.get("repeats", False),
            read_only=item.get("readOnly", False),
            max_length=item.get("maxLength"),
            options=self.options(item),
            units=tuple(self.unit(one) for one in _extensions(item, "questionnaire-unit", "questionnaire-unitOption")),
            conditions=tuple(Condition(one["question"], one["operator"], key_of(_only(one, "answer"))) for one in item.get("enableWhen", [])),
            any_condition=item.get("enableBehavior") == "any",
            initial=tuple(item.get("initial", [])),
            lowest=next(iter(_extensions(item, "minValue")), None),
            highest=next(iter(_extensions(item, "maxValue")), None),
            control=next((_control(one) for one in _extensions(item, "questionnaire-itemControl")), None),
            children=self.questions(item),
        )

    def options(self, item: Node) -> tuple[Option, ...]:
        if "answerOption" in item:
            return tuple(self.option(one) for one in item["answerOption"])
        address = item.get("answerValueSet")
        return tuple(self.option({"valueCoding": coding}) for coding in self.codings(address)) if address else ()

    def codings(self, address: str) -> Iterable[Node]:
        if address in self.contained:
            return _codings(self.contained[address])
        return self.options_of(address) if self.options_of else ()

    def option(self, node: Node) -> Option:
        answer = _only(node, "value")
        return Option(key_of(answer), answer, self.label(node), bool(node.get("initialSelected")))

    def label(self, node: Node) -> Texts:
        if "valueCoding" in node:
            shown = self.texts(node["valueCoding"], "display")
            return shown if shown["zh"] else dict.fromkeys(shown, str(node["valueCoding"].get("code", "")))
        if "valueReference" in node:
            shown = node["valueReference"].get("display") or node["valueReference"].get("reference", "")
            return {"zh": shown, "en": shown}
        name = next(key for key in node if key.startswith("value"))
        return self.texts({**node, name: str(node[name])}, name)

    def unit(self, node: Node) -> Option:
        coding = node.get("valueCoding", {})
        return Option(str(coding.get("code") or coding.get("display", "")), coding, self.label(node))


def _extensions(item: Node, *names: str) -> list[Node]:
    addresses = {_EXTENSION + name for name in names}
    return [one for one in item.get("extension", []) if one.get("url") in addresses]


def _control(extension: Node) -> str | None:
    codings = extension.get("valueCodeableConcept", {}).get("coding", [])
    return codings[0].get("code") if codings else None


def _codings(value_set: Node) -> Iterator[Node]:
    expanded = value_set.get("expansion", {}).get("contains")
    if expanded:
        yield from ({key: one[key] for key in ("system", "code", "display", "_display") if key in one} for one in expanded)
        return
    for include in value_set.get("compose", {}).get("include", []):
        system = {"system": include["system"]} if "system" in include else {}
        yield from (system | {key: one[key] for key in ("code", "display", "_display") if key in one} for one in include.get("concept", []))


def _only(node: Node, prefix: str) -> Node:
    """Keep the chosen type of ``node`` and name it ``value[x]``."""
    return {"value" + key.removeprefix(prefix): value for key, value in node.items() if key.startswith(prefix)}


def _value(node: Node) -> Any:
    return next((value for key, value in node.items() if key.startswith("value")), None)


def key_of(answer: Node) -> str:
    """Write an answer ``{"valueX": ...}`` as one form value; codings become ``system|code``."""
    value = _value(answer)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        if "valueCoding" in answer:
            return f"{value.get('system', '')}|{value.get('code', '')}"
        return str(value.get("reference") or value.get("value", ""))
    return format(value, "f") if isinstance(value, Decimal) else "" if value is None else str(value)
