"""Which sensitive classes a resource belongs to (rules/sensitive.yaml): pure, and asked for every resource that is written.

Almost every code and name has been seen before, so the answer for each is remembered; an ordinary resource costs a few
look-ups. What a resource only refers to is not looked at: a referred resource carries its own class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, TypeAlias

from kangyun.base.rules import Rule, load
from kangyun.commons.records import hash64

Json: TypeAlias = dict[str, Any]
Classes: TypeAlias = frozenset[str]

NONE: Classes = frozenset()
# Not a class that can be opened: the token of Consents, which would tell a doctor what is withheld. Migration 0241 knows it.
PRIVACY = "privacy"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_SYSTEMS = {
    "http://hl7.org/fhir/sid/icd-10": "icd10", "http://hl7.org/fhir/sid/icd-10-cm": "icd10",
    "http://hl7.org/fhir/sid/icd-9-cm": "icd9p", "http://loinc.org": "loinc", "http://snomed.info/sct": "snomed",
    "http://www.whocc.no/atc": "atc", "http://terminology.hl7.org/CodeSystem/v2-0074": "report",
}
_ICD10 = re.compile(r"[A-Z]\d\d(?:\.?[0-9xX][0-9A-Za-z]{0,8}(?:[+*]\d{0,3})?)?[+*]?")
# The code of a medicine in the national insurance catalogue: X, its ATC class, and sixteen more signs.
_INSURANCE = re.compile(r"X[A-Z]\d\d[A-Z]{2}.{17}")
_PROCEDURE = re.compile(r"\d\d(?:\.\d{1,4})?[a-z0-9]*")
_SPECIALTY = re.compile(r"\d\d\.\d\d")
_LONGEST_KEPT = 120
# Where a code of an unknown system may be a diagnosis; elsewhere F20 may be a test or a medicine of somebody's own list.
_DIAGNOSES = {"Claim", "ClinicalImpression", "Condition", "DiagnosticReport", "ExplanationOfBenefit", "FamilyMemberHistory"}


@dataclass(slots=True)
class _Book:
    """The rule as tables: beginnings and whole codes by what they are of, and one pattern for each class."""

    codes: dict[tuple[str, str], set[str]] = field(default_factory=dict[tuple[str, str], set[str]])
    open: set[str] = field(default_factory=set[str])
    words: list[tuple[str, re.Pattern[str]]] = field(default_factory=list[tuple[str, re.Pattern[str]]])
    any_word: re.Pattern[str] = field(default_factory=lambda: re.compile(r"(?!)"))
    paths: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict[str, tuple[tuple[str, ...], ...]])
    always: dict[str, Classes] = field(default_factory=dict[str, Classes])


def labels(resource: Mapping[str, Any]) -> list[str]:
    """The sensitive classes of a resource, sorted; a Consent has those that it speaks of."""
    found = _found(resource)
    return sorted(found) if found else []


def classes() -> tuple[str, ...]:
    """All classes, in the order in which pages show them."""
    return tuple(load("kangyun.commons.access", "sensitive.yaml").body["write"])


def label_of(class_: str) -> Json:
    """The Coding that says a class in meta.security and in a Consent."""
    return {"system": ACT_CODE, "code": load("kangyun.commons.access", "sensitive.yaml").body["write"][class_]}


def classes_of(codings: Iterable[Mapping[str, Any]]) -> Classes:
    """The classes that security labels stand for; an unknown label stands for none."""
    return frozenset().union(*(_whole("security", str(one.get("code", ""))) for one in codings))


@cache
def token(class_: str) -> int:
    """The index token of a class."""
    return hash64(f"sensitive:{class_}")


def tokens(resource: Mapping[str, Any]) -> list[int]:
    """The index tokens of a resource's classes; what a resident consents to is nobody's business but the resident's."""
    found = [token(one) for one in _found(resource)]
    return [*found, token(PRIVACY)] if resource.get("resourceType") == "Consent" and _is_private(resource) else found


def every_token() -> list[int]:
    """All tokens that `tokens` may give."""
    return [token(one) for one in (*classes(), PRIVACY)]


def types() -> tuple[str, ...]:
    """The types that may be of a class by their content; a Consent by what it speaks of."""
    book = _book()
    return tuple(sorted({*book.paths, *book.always, "Consent", "Bundle"}))


def mark() -> str:
    """A name for the state of the rule: another one means that the record must be labelled anew."""
    rule = load("kangyun.commons.access", "sensitive.yaml")
    content = f"{rule.table} {sorted(rule.map.items())} {rule.body['always']}"
    return sha256(content.encode()).hexdigest()[:32]


def _is_private(consent: Mapping[str, Any]) -> bool:
    codes = {one.get("code") for one in consent.get("scope", {}).get("coding", ())}
    return not codes or bool(codes & {"patient-privacy", "research"})


def _found(resource: Mapping[str, Any]) -> Classes:
    type_, book = resource.get("resourceType", ""), _book()
    found, diagnosis = book.always.get(type_, NONE), type_ in _DIAGNOSES
    for path in book.paths.get(type_, ()):
        node = resource.get(path[0])
        if node is not None:
            found = found | _below(node, path, 1, diagnosis)
    meta, contained = resource.get("meta"), resource.get("contained")
    if meta and meta.get("security"):
        found = found | classes_of(meta["security"])
    if contained:
        found = found.union(*(_found(one) for one in contained))
    if type_ == "Consent":
        found = found.union(*(classes_of(one) for one in _spoken_of(resource.get("provision", {}))))
    elif type_ == "Bundle":
        found = found.union(*(_found(entry.get("resource", {})) for entry in resource.get("entry", ())))
    return found


def _spoken_of(provision: Mapping[str, Any]) -> Iterator[list[Json]]:
    yield provision.get("securityLabel", [])
    for inner in provision.get("provision", ()):
        yield from _spoken_of(inner)


def _below(node: Any, path: tuple[str, ...], depth: int, diagnosis: bool) -> Classes:
    if isinstance(node, list):
        return NONE.union(*(_below(one, path, depth, diagnosis) for one in node)) if node else NONE
    if depth < len(path):
        inner = node.get(path[depth]) if isinstance(node, dict) else None
        return NONE if inner is None else _below(inner, path, depth + 1, diagnosis)
    return _of_concept(node, diagnosis) if isinstance(node, dict) else _of_text(node)


def _of_concept(node: Json, diagnosis: bool) -> Classes:
    """A CodeableConcept or a Coding; anything else has none of their elements."""
    found = NONE
    for coding in node.get("coding", (node,)):
        code, display = coding.get("code"), coding.get("display")
        if code:
            found = found | _of_code(coding.get("system", ""), code, diagnosis)
        if display:
            found = found | _of_text(display)
    text = node.get("text")
    return found | _of_text(text) if text else found


def _of_text(text: Any) -> Classes:
    if not isinstance(text, str):
        return NONE
    # A long text is rarely seen again, and would fill the memory of the short ones.
    return _of_words(text) if len(text) <= _LONGEST_KEPT else _of_words.__wrapped__(text)


@lru_cache(maxsize=16384)
def _of_words(text: str) -> Classes:
    book = _book()
    if not book.any_word.search(text):
        return NONE
    return frozenset(class_ for class_, pattern in book.words if pattern.search(text))


@lru_cache(maxsize=16384)
def _of_code(system: str, code: str, diagnosis: bool) -> Classes:
    kind = _SYSTEMS.get(system)
    if kind == "icd10":
        return _of_icd10(code)
    if kind == "icd9p":
        # The same system has diagnoses, which begin with three digits.
        return _beginning(kind, code) if _PROCEDURE.fullmatch(code) else NONE
    if kind == "atc":
        return _beginning(kind, code)
    if kind:
        return _whole(kind, code)
    return _of_unknown(code, diagnosis)


def _of_unknown(code: str, diagnosis: bool) -> Classes:
    """A code whose system nobody knows goes by its shape: to close too much does less harm than to disclose."""
    if _INSURANCE.fullmatch(code):
        return _beginning("atc", code[1:])
    if diagnosis and _ICD10.fullmatch(code):
        return _of_icd10(code)
    return _whole("specialty", code) if _SPECIALTY.fullmatch(code) else NONE


def _of_icd10(code: str) -> Classes:
    return _beginning("icd10", code.replace(".", "").upper())


def _beginning(kind: str, code: str) -> Classes:
    book = _book()
    if any(code.startswith(one) for one in book.open) and kind == "atc":
        return NONE
    found = [book.codes.get((kind, code[:length]), set[str]()) for length in range(1, len(code) + 1)]
    return frozenset().union(*found)


def _whole(kind: str, code: str) -> Classes:
    return frozenset(_book().codes.get((kind, code), ()))


@cache
def _book() -> _Book:
    rule, book = load("kangyun.commons.access", "sensitive.yaml"), _Book()
    for row in rule.table:
        if row["by"] == "words":
            book.words.append((row["class"], _pattern(row["codes"])))
            continue
        book.open |= set(row.get("but", ()))
        for code in _spread(row["by"], row["codes"]):
            book.codes.setdefault((row["by"], code), set()).add(row["class"])
    book.any_word = _pattern([word for row in rule.table if row["by"] == "words" for word in row["codes"]])
    book.paths = {type_: tuple(map(_steps, paths)) for type_, paths in rule.map.items() if paths}
    book.always = {type_: frozenset(found) for type_, found in rule.body["always"].items()}
    return book


def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.removesuffix("$").split("."))


def _spread(kind: str, codes: Iterable[str]) -> Iterator[str]:
    """The codes of a row; a range of ICD-10 as each of its categories, and no dots."""
    for code in codes:
        first, _, last = code.partition("-") if kind == "icd10" else (code, "", "")
        if last:
            yield from (f"{first[0]}{number:02}" for number in range(int(first[1:]), int(last[1:]) + 1))
        else:
            yield first.replace(".", "") if kind == "icd10" else first


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    """One pattern for all words; Latin ones must not be parts of longer ones."""
    return re.compile("|".join(map(_pattern_of, words)), re.IGNORECASE)


def _pattern_of(word: str) -> str:
    if not word.isascii():
        return re.escape(word)
    whole = rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])"
    return rf"(?-i:{whole})" if word.isupper() else whole


def check_example(_rule: Rule, given: Mapping[str, Any]) -> list[str]:
    """The classes of a worked example."""
    return labels(given)
