"""What a Consent means, against a plain reading of it; wishes there and back; masking that lets nothing through."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kangyun.base.fhir import definitions
from kangyun.base.fhir.validation import validate
from kangyun.base.rules import load
from kangyun.commons.access.decisions import consents, masking, policy, sensitive, wishes
from kangyun.commons.access.decisions.consents import EVERYBODY, Box, meaning
from kangyun.commons.access.decisions.wishes import Wish
from kangyun.commons.records import hash64, type_code

Json = dict[str, Any]

_PLACES: list[str] = ["A", "B", "C"]
_TYPES: list[str] = ["Observation", "Condition", "Media"]
_PURPOSES = {"TREAT": "care", "HRESCH": "research"}
_YEARS = (2001, 2003, 2005)
_SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _coded(codes: list[str]) -> list[Json]:
    return [{"code": one} for one in codes]


def _part(name: str, made: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.one_of(st.just({}), made.map(lambda value: {name: value}))


_some_places = st.lists(st.sampled_from(_PLACES), min_size=1, max_size=2, unique=True).map(
    lambda names: [{"reference": {"reference": f"Organization/{one}"}} for one in names])
_limits = st.tuples(
    _part("actor", _some_places),
    _part("class", st.lists(st.sampled_from(_TYPES), min_size=1, max_size=2, unique=True).map(_coded)),
    _part("purpose", st.lists(st.sampled_from(sorted(_PURPOSES)), min_size=1, max_size=1).map(_coded)),
    _part("period", st.sampled_from([{"end": "2002-12-31"}, {"start": "2004-01-01"}])),
).map(lambda parts: {key: value for part in parts for key, value in part.items()})


def _provision(type_: str, depth: int) -> st.SearchStrategy[Json]:
    other = "permit" if type_ == "deny" else "deny"
    inner = st.lists(_provision(other, depth - 1), max_size=2) if depth else st.just(list[Json]())
    return st.tuples(_limits, inner).map(lambda parts: {"type": type_, **parts[0], **({"provision": parts[1]} if parts[1] else {})})


def _covers(provision: Json, place: str, type_: str, purpose: str, year: int) -> bool:
    """A plain reading: whether a provision with what it inherits is about this, and no exception takes it out."""
    actors = [one["reference"]["reference"].removeprefix("Organization/") for one in provision.get("actor", ())]
    period = provision.get("period", {})
    within = period.get("start", "0000") <= f"{year}-06-01" <= period.get("end", "9999")
    about = (not actors or place in actors) and within
    about = about and (not provision.get("class") or {"code": type_} in provision["class"])
    about = about and (not provision.get("purpose") or purpose in {_PURPOSES[one["code"]] for one in provision["purpose"]})
    inherited = {key: value for key, value in provision.items() if key not in {"type", "provision"}}
    return about and not any(_covers({**inherited, **one}, place, type_, purpose, year) for one in provision.get("provision", ()))


def _in(boxes: tuple[Box, ...], place: str, type_: str, purpose: str, year: int) -> bool:
    key, at = hash64(f"Organization/{place}"), datetime(year, 6, 1, tzinfo=UTC)
    return any(
        (key in box.who or (EVERYBODY in box.who and key not in box.spared)) and (box.types is None or type_code(type_) in box.types)
        and (box.purposes is None or purpose in box.purposes) and box.starts <= at < box.ends
        for box in boxes
    )


@pytest.mark.parametrize("type_", ["deny", "permit"])
@_SLOW
@given(data=st.data())
def test_boxes_say_what_the_consent_says(type_: str, data: st.DataObject) -> None:
    provision = data.draw(_provision(type_, 2))
    said = meaning({
        "status": "active", "scope": {"coding": [{"code": "patient-privacy"}]}, "patient": {"reference": "Patient/p"},
        "provision": provision,
    })
    boxes = said.closed if type_ == "deny" else said.opened
    for place in _PLACES:
        for kind in _TYPES:
            for purpose in _PURPOSES.values():
                for year in _YEARS:
                    assert _in(boxes, place, kind, purpose, year) == _covers(provision, place, kind, purpose, year)


@_SLOW
@given(provision=st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.dictionaries(st.sampled_from(["code", "system", "reference", "start", "end"]), inner, max_size=3), max_leaves=6))
def test_a_period_or_an_actor_that_nobody_can_read_never_opens(provision: Any) -> None:
    period = {"start": "2026-99-99"} if not isinstance(provision, dict) else {"end": "soon"}
    made = {"status": "active", "scope": {"coding": [{"code": "patient-privacy"}]}, "patient": {"reference": "Patient/p"}}
    assert meaning({**made, "provision": {"type": "permit", "period": period}}).opened == ()
    assert meaning({**made, "provision": {"type": "deny", "period": period}}).closed[0].ends.year == 9999


def test_every_purpose_of_a_role_is_known_to_denials() -> None:
    known = consents.every_purpose()
    assert {one for role in policy.roles().values() for one in role.purposes} <= known


def test_kinds_are_types_that_exist_each_once() -> None:
    named = [one for types in load("kangyun.commons.access", "consent.yaml").map.values() for one in types]
    assert len(named) == len(set(named))
    assert set(named) <= set(definitions.load().resources)


@_SLOW
@given(st.builds(
    Wish, st.sampled_from(wishes.KINDS), st.just("these"), st.just(("a", "b")),
    st.lists(st.sampled_from(wishes.kinds()), unique=True, max_size=6).map(lambda some: tuple(one for one in wishes.kinds() if one in some)),
    st.just(()), st.just(wishes.ANY), st.sampled_from([None, date(2027, 1, 31)])))
def test_a_wish_is_read_back_as_it_was_meant(wish: Wish) -> None:
    if wish.kind == "sensitive":
        wish = Wish("sensitive", "these", wish.institutions, (), ("mental", "genetic"), wish.purpose, wish.until)
    made = wishes.consent_of(wish, "p", datetime(2026, 11, 22, tzinfo=UTC))
    assert [one for one in validate(made) if one.severity in {"error", "fatal"}] == []
    assert wishes.wish_of(made) == wish


def test_all_but_some_is_read_back_too() -> None:
    wish = Wish("close", "others", ("a",), (), (), "payment", None)
    assert wishes.wish_of(wishes.consent_of(wish, "p", datetime(2026, 11, 22, tzinfo=UTC))) == wish
    assert wishes.faults(Wish("close", "others")) == ["access.consent-who"]
    assert wishes.faults(Wish("sensitive", "everybody")) == ["access.consent-what"]
    assert wishes.faults(Wish("close", "these", ("../Patient",))) == ["access.consent-who"]


@pytest.mark.parametrize(("months", "last"), [(3, date(2027, 2, 28)), (12, date(2027, 11, 30)), (1, date(2026, 12, 30))])
def test_a_term_ends_on_a_day_that_exists(months: int, last: date) -> None:
    assert wishes.until(months, date(2026, 11, 30)) == last


@pytest.mark.parametrize(("born", "guarded"), [("2012-11-23", True), ("2012-11-22", False), ("2012", True), ("2011", False), ("", False)])
def test_under_fourteen_a_guardian_decides(born: str, *, guarded: bool) -> None:
    assert wishes.is_guarded(born, date(2026, 11, 22)) is guarded


_PATIENT: Json = {
    "resourceType": "Patient", "id": "p", "text": {"status": "generated", "div": "<div>周秀兰 13800001234</div>"},
    "identifier": [{"value": "990121195603040423"}], "name": [{"text": "周秀兰", "family": "周", "given": ["秀兰"], "_text": {"extension": []}}],
    "telecom": [{"system": "phone", "value": "13800001234"}], "birthDate": "1956-03-04", "_birthDate": {"extension": [{"valueDateTime": "1956-03-04T03:00:00Z"}]},
    "address": [{"text": "云州市青溪县柳河镇三组12号", "line": ["柳河镇三组12号"]}], "photo": [{"data": "aaaa"}],
    "contact": [{"name": {"text": "李明"}, "telecom": [{"value": "13900005678"}], "address": {"text": "青溪县柳河镇四组"}}],
    "extension": [{"url": "x", "valueString": "周秀兰"}], "contained": [{"resourceType": "RelatedPerson", "name": [{"text": "周秀兰"}]}],
}
_TOLD = ("秀兰", "李明", "13800001234", "13900005678", "19560304", "1956-03-04", "三组", "四组", "aaaa")


@pytest.mark.parametrize("level", ["masked", "anonymous", "a level that no file names"])
def test_nothing_that_tells_who_somebody_is_gets_through(level: str) -> None:
    wrapped = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _PATIENT}]}
    about: Json = {
        "resourceType": "Encounter", "subject": {"reference": "Patient/p", "display": "周秀兰", "identifier": {"value": "990121195603040423"}},
        "text": {"div": "<div>李明</div>"}, "participant": [{"individual": {"reference": "RelatedPerson/r", "display": "李明"}}],
    }
    for resource in (_PATIENT, wrapped, about):
        told = json.dumps(masking.mask(resource, level), ensure_ascii=False)
        assert [one for one in _TOLD if one in told] == []


@_SLOW
@given(st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(sorted(_PATIENT)), inner, max_size=5)), max_leaves=12))
def test_masking_never_raises_whatever_the_shape(content: Any) -> None:
    for type_ in ("Patient", "Coverage", "Observation"):
        masking.mask({"resourceType": type_, "name": content, "telecom": content, "address": content, "subject": content}, "masked")


def test_what_is_masked_is_not_searched_for() -> None:
    assert {"name", "identifier", "phone", "birthdate"} <= masking.blocked("Patient", "masked")
    assert "_text" in masking.blocked("Observation", "anonymous")
    assert masking.blocked("Patient", "none") == frozenset()


def test_a_department_or_a_long_narrative_name_is_enough_for_a_class() -> None:
    assert sensitive.labels({"resourceType": "Encounter", "type": [{"text": "心身医学科复诊"}]}) == ["mental"]
    assert sensitive.labels({"resourceType": "DocumentReference", "description": "出院小结 " * 30 + "HIV 阳性"}) == ["hiv_std"]
    assert sensitive.labels({"resourceType": "Condition", "code": {"text": "shivering"}}) == []
