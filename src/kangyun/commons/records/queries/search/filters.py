"""One search parameter with its modifier and value -> a condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from kangyun.base.fhir import definitions
from kangyun.commons.records.decisions.index.composites import SEPARATOR, firsts, shape
from kangyun.commons.records.decisions.index.extraction import typed_slots
from kangyun.commons.records.decisions.index.parameters import SPANNED, Pairing, Parameter, Part, common, parameters
from kangyun.commons.records.decisions.index.references import literal
from kangyun.commons.records.decisions.index.slots import Slot, Use
from kangyun.commons.records.decisions.index.tokens import PRESENT
from kangyun.commons.records.model import hash64, is_type, key_of
from kangyun.commons.records.queries.search import ranges, texts, tokens
from kangyun.commons.records.queries.search.conditions import (
    All,
    Chain,
    Condition,
    HasKey,
    HasSpan,
    HasToken,
    Not,
    Nothing,
    Reverse,
    SpanExists,
    Test,
    all_of,
    any_of,
)
from kangyun.commons.records.queries.search.query import compartment_types
from kangyun.commons.records.queries.search.refusals import bad_modifier, bad_value, too_costly, unknown, unsupported
from kangyun.commons.records.queries.search.syntax import split, unescape

# Filters of R4 that are not answered; leaving them out would return what was not asked for.
REFUSED = frozenset({"_text", "_content", "_filter", "_query", "near"})
_DEPTH = 8
_MOST_VALUES = 1000


class UnknownParameterError(Exception):
    """The type has no such parameter; the caller decides whether that is a fault."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the filters of one search; `now` is what ap compares with."""

    now: datetime

    def condition(self, type_name: str | None, name: str, value: str, depth: int = 0) -> Condition:
        """The condition of `name=value`; raises UnknownParameterError or Problem 400."""
        if depth > _DEPTH:
            raise too_costly(name)
        if name.startswith("_has:"):
            return self._reverse(type_name, name, value, depth)
        head, dot, rest = name.partition(".")
        if dot:
            return self._chain(type_name, head, rest, value, depth)
        code, _, modifier = name.partition(":")
        if code == "_list":
            return self._list(type_name, name, modifier, value)
        parameter = find(type_name, code)
        values = split(value, ",")
        if len(values) > _MOST_VALUES:
            raise too_costly(name)
        if modifier == "missing":
            return _missing(parameter, name, value)
        return self._values(parameter, name, modifier, values)

    def _values(self, parameter: Parameter, name: str, modifier: str, values: list[str]) -> Condition:
        negative = modifier in {"not", "not-in"}
        read = self._reader(parameter, name, modifier)
        found = any_of([read(text) for text in values])
        return Not(found) if negative else found

    def _reader(self, parameter: Parameter, name: str, modifier: str) -> Callable[[str], Condition]:
        if parameter.code == "_id" and not modifier:
            return lambda text: _ids(parameter.type, name, unescape(text))
        if parameter.code == "_lastUpdated" and not modifier:
            return lambda text: ranges.updated(name, text, self.now)
        if modifier and is_type(modifier) and parameter.kind == "reference":
            return lambda text: tokens.reference(parameter, name, text, modifier)
        readers = _READERS.get((parameter.kind, modifier))
        if readers:
            return lambda text: readers(parameter, name, text)
        if modifier:
            raise bad_modifier(parameter.code, modifier)
        if parameter.kind in SPANNED:
            return lambda text: self._spans(parameter, name, text)
        return lambda text: self._composite(parameter, name, text)

    def _spans(self, parameter: Parameter, name: str, text: str) -> Condition:
        return span_condition(ranges.tests(parameter.kind, _params(parameter.uses), name, text, self.now))

    def _composite(self, parameter: Parameter, name: str, text: str) -> Condition:
        parts = split(text, "$")
        return any_of([self._pairing(parameter, pairing, name, parts) for pairing in parameter.pairings])

    def _pairing(self, parameter: Parameter, pairing: Pairing, name: str, values: list[str]) -> Condition:
        if len(values) != len(pairing.parts) or not all(values):
            raise bad_value(name)
        if pairing.slot is None:
            parts = zip(pairing.parts, values, strict=True)
            return all_of([self._part(parameter, part, name, value) for part, value in parts])
        reader = {"tokens": self._pair, "span": self._pair_span, "window": self._window}[shape(pairing)]
        found = reader(pairing, pairing.slot, name, values)
        return all_of([self._part(parameter, pairing.parts[0], name, values[0]), found]) if pairing.base.single else found

    def _part(self, parameter: Parameter, part: Part, name: str, value: str) -> Condition:
        alone = Parameter(parameter.type, parameter.code, part.kind, part.uses)
        return self._reader(alone, name, "")(value)

    def _pair(self, pairing: Pairing, slot: Slot, name: str, values: list[str]) -> Condition:
        found = [_pair_texts(part, name, value) for part, value in zip(pairing.parts, values, strict=True)]
        return tokens.tokens(hash64(SEPARATOR.join(pair)) ^ slot.seed for pair in product(*found))

    def _pair_span(self, pairing: Pairing, slot: Slot, name: str, values: list[str]) -> Condition:
        params = [slot.seed ^ hash64(text) for text in firsts(pairing, _pair_texts(pairing.parts[0], name, values[0]))]
        return span_condition(ranges.tests(pairing.parts[1].kind, params, name, values[1], self.now))

    def _window(self, pairing: Pairing, slot: Slot, name: str, values: list[str]) -> Condition:
        low = ranges.read("number", name, values[1], self.now)
        high = ranges.read("number", name, values[2], self.now)
        params = [slot.seed ^ hash64(text) for text in _pair_texts(pairing.parts[0], name, values[0])]
        groups = [(Test(p, *low, point="lo"), Test(p, *high, point="hi")) for p in params]
        return HasSpan(tuple(groups)) if groups else Nothing()

    def _chain(self, type_name: str | None, head: str, rest: str, value: str, depth: int) -> Condition:
        code, _, wanted = head.partition(":")
        parameter = find(type_name, code)
        if parameter.kind != "reference" or (wanted and not is_type(wanted)):
            raise bad_modifier(f"{head}.{rest}", wanted or ".")
        found: list[Condition] = []
        known = False
        for target, uses in _by_target(parameter, wanted).items():
            try:
                inner = self.condition(target, rest, value, depth + 1)
            except UnknownParameterError:
                continue
            known = True
            found.extend(_links(target, uses, inner))
        if not known:
            raise unknown(f"{head}.{rest}", parameter.type)
        return any_of(found)

    def _reverse(self, type_name: str | None, name: str, value: str, depth: int) -> Condition:
        parts = name.split(":", 3)
        if len(parts) != 4 or not is_type(parts[1]):
            raise bad_modifier("_has", name.removeprefix("_has:"))
        source, code, rest = parts[1:]
        try:
            parameter = find(source, code)
            inner = self.condition(source, rest, value, depth + 1)
        except UnknownParameterError:
            raise unknown(name, source) from None
        if parameter.kind != "reference":
            raise bad_modifier("_has", code)
        uses = [use for use in parameter.uses if type_name is None or type_name in tokens.targets(use, parameter)]
        return Reverse(source, _params(uses), inner, type_name in compartment_types()) if uses else Nothing()

    def _list(self, type_name: str | None, name: str, modifier: str, value: str) -> Condition:
        """_list=id: the members of a List resource."""
        if modifier or value.startswith("$"):
            raise unsupported(name)
        return self._reverse(type_name, "_has:List:item:_id", value, 0)


def find(type_name: str | None, code: str) -> Parameter:
    """The parameter; raises UnknownParameterError, or Problem 400 for one that is not answered."""
    if code in REFUSED:
        raise unsupported(code)
    known = parameters(type_name) if type_name else common()
    if code not in known:
        raise UnknownParameterError(code)
    if not known[code].indexed:
        raise unsupported(code)
    return known[code]


def span_condition(tests: Iterable[Test]) -> Condition:
    """One span passes one of the tests."""
    groups = tuple((test,) for test in tests)
    return HasSpan(groups) if groups else Nothing()


def _params(uses: Iterable[Use]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(use.slot.seed for use in uses))


def _ids(type_name: str, name: str, text: str) -> Condition:
    type_, _, id_ = text.rpartition("/")
    if not id_ or len(id_) > 64 or (type_ and not is_type(type_)):
        raise bad_value(name)
    wanted = type_ or type_name
    return HasKey(tuple(key_of(found, id_) for found in ([wanted] if wanted else definitions.load().resources)))


def _missing(parameter: Parameter, name: str, value: str) -> Condition:
    if value not in {"true", "false"}:
        raise bad_value(name)
    there = present(parameter)
    return Not(there) if value == "true" else there


def present(parameter: Parameter) -> Condition:
    """There is a value for the parameter."""
    if parameter.code in {"_id", "_lastUpdated"}:
        return All(())
    if parameter.pairings:
        return any_of([_pair_present(parameter, pairing) for pairing in parameter.pairings])
    if parameter.kind in SPANNED:
        return SpanExists(_params(parameter.uses))
    return tokens.tokens(token for use in parameter.uses for token in _present_tokens(parameter, use))


def _pair_present(parameter: Parameter, pairing: Pairing) -> Condition:
    if pairing.slot:
        raise bad_modifier(parameter.code, "missing")
    parts = [Parameter(parameter.type, parameter.code, part.kind, part.uses) for part in pairing.parts]
    return all_of([present(part) for part in parts])


def _present_tokens(parameter: Parameter, use: Use) -> list[int]:
    seed = use.slot.seed
    if use.system:
        return [hash64(use.system + "|") ^ seed]
    if use.slot.name not in typed_slots(parameter.type):
        return [PRESENT ^ seed]
    # typed_slots is about the type that owns the slot; narrowed parameters ask for their own target only.
    typed = [hash64(target + "/") ^ seed for target in tokens.targets(use, parameter)]
    return typed if use.target else [PRESENT ^ seed, *typed]


def _pair_texts(part: Part, name: str, value: str) -> list[str]:
    if value.endswith("|"):
        raise bad_value(name)
    if part.kind == "reference":
        return [literal(unescape(value))[1]]
    return list(dict.fromkeys(text for use in part.uses for text in tokens.texts(use, name, value)))


def _by_target(parameter: Parameter, wanted: str) -> dict[str, list[Use]]:
    found: dict[str, list[Use]] = {}
    for use in parameter.uses:
        for target in tokens.targets(use, parameter):
            if wanted in {"", target}:
                found.setdefault(target, []).append(use)
    return found


def _links(target: str, uses: list[Use], inner: Condition) -> list[Condition]:
    literals = _params(use for use in uses if use.slot.type in {"Reference", "Resource"})
    canonicals = _params(use for use in uses if use.slot.type in {"canonical", "uri"})
    found: list[Condition] = [Chain(literals, target, inner)] if literals else []
    url = url_seed(target)
    if canonicals and url is not None:
        found.append(Chain(canonicals, target, inner, url))
    return found


def url_seed(type_name: str) -> int | None:
    """The seed of the slot of a type's own url; None when resources of the type have none."""
    known = parameters(type_name).get("url")
    own = [use.slot for use in known.uses if use.slot.path.steps == ("url",)] if known else []
    return own[0].seed if own and own[0].kind == "uri" else None


_READERS: dict[tuple[str, str], Callable[[Parameter, str, str], Condition]] = {
    ("token", ""): tokens.token,
    ("token", "not"): tokens.token,
    ("token", "text"): texts.of_token,
    ("token", "of-type"): tokens.of_type,
    ("token", "in"): tokens.in_value_set,
    ("token", "not-in"): tokens.in_value_set,
    ("string", ""): lambda p, n, t: texts.phonetic(p, n, t) if p.code == "phonetic" else texts.starts(p, n, t),
    ("string", "exact"): lambda p, _, t: texts.exact(p, t),
    ("string", "contains"): texts.contains,
    ("reference", ""): lambda p, n, t: tokens.reference(p, n, t, None),
    ("reference", "identifier"): tokens.logical,
    ("uri", ""): lambda p, _, t: tokens.uri(p, t),
    ("uri", "below"): texts.below,
    ("uri", "above"): tokens.uri_above,
}


def modifiers(kind: str) -> list[str]:
    """The modifiers that parameters of a kind take; [type] stands for a resource type."""
    own = [modifier for known, modifier in _READERS if known == kind and modifier]
    return sorted([*own, "missing", *(["[type]"] if kind == "reference" else [])])


def token_condition(tokens_: Iterable[int]) -> HasToken:
    """At least one of the tokens."""
    return HasToken(tuple(tokens_))
