"""Scopes: what they say, what they allow, and that narrowing never widens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kangyun.commons.access.decisions.scopes import Limit, allows, asks, limits, narrowed, opens, parse, unknown


@pytest.mark.parametrize(("text", "read"), [
    ("patient/Observation.rs", "patient/Observation.rs"),
    ("patient/Observation.read", "patient/Observation.rs"),
    ("user/*.write", "user/*.cud"),
    ("system/*.*", "system/*.cruds"),
    ("patient/Observation.rs?category=laboratory&status=final", "patient/Observation.rs?category=laboratory&status=final"),
    ("patient/Nothing.rs", ""),
    ("patient/Observation.sr", ""),
    ("patient/Observation.rr", ""),
    ("patient/Observation.", ""),
    ("patient/Observation", ""),
    ("somebody/Observation.rs", ""),
    ("patient/*.rs?category=laboratory", ""),
    ("patient/Observation.rs?", ""),
    ("patient/Observation.rs?nothing=1", ""),
    ("patient/Observation.rs?_count=5", ""),
    ("patient/Observation.rs?_include=Observation:subject", ""),
    ("patient/Observation.rs?category", ""),
    ("Patient/Observation.rs", ""),
])
def test_a_scope_is_read_as_the_standard_writes_it(text: str, read: str) -> None:
    assert " ".join(map(str, parse(text))) == read
    assert unknown(text) == ([] if read else [text])


def test_what_scopes_allow() -> None:
    said = parse("patient/Observation.rs?category=laboratory user/Condition.r system/Patient.c")
    assert allows(said, "read", "Observation")
    assert allows(said, "history", "Observation")
    assert not allows(said, "create", "Observation")
    assert not allows(said, "search", "Condition")
    assert allows(said, "create", "Patient")
    assert not allows(said, "read", None)
    assert allows(parse("user/*.rs"), "search", None)
    assert not allows(parse("patient/*.rs"), "search", None)
    assert not allows((), "read", "Patient")


def test_the_ways_in_which_something_is_allowed() -> None:
    said = parse("patient/Observation.rs?category=laboratory patient/Observation.rs?category=vital-signs user/Condition.rs patient/Condition.r")
    assert limits(said, "search", "Observation") == (Limit(True, "category=laboratory"), Limit(True, "category=vital-signs"))
    assert limits(said, "read", "Condition") == (Limit(False, ""),)
    assert limits(said, "delete", "Condition") == ()


@pytest.mark.parametrize(("asked", "most", "granted"), [
    ("patient/*.cruds", "patient/Observation.rs", "patient/Observation.rs"),
    ("patient/Observation.cruds", "patient/*.rs", "patient/Observation.rs"),
    ("patient/Observation.rs", "patient/Observation.rs?category=laboratory", "patient/Observation.rs?category=laboratory"),
    ("patient/Observation.rs?status=final", "patient/Observation.rs?category=laboratory", "patient/Observation.rs?status=final&category=laboratory"),
    ("patient/*.rs", "patient/Observation.rs patient/Condition.r", "patient/Observation.rs patient/Condition.r"),
    ("patient/*.rs", "user/*.rs", ""),
    ("openid fhirUser email", "openid fhirUser email", "openid fhirUser"),
    ("launch/patient offline_access", "launch/patient", "launch/patient"),
    ("patient/*.read patient/*.read", "patient/*.*", "patient/*.rs"),
    ("patient/Observation.rs", "patient/*.rs patient/Observation.r", "patient/Observation.rs"),
])
def test_what_is_asked_is_narrowed_to_what_may_be_had(asked: str, most: str, granted: str) -> None:
    assert narrowed(asked, most) == granted


_SCOPES = some.lists(some.builds(
    lambda context, type_, letters, params: f"{context}/{type_}.{letters}{params if type_ != '*' else ''}",
    some.sampled_from(["patient", "user", "system"]), some.sampled_from(["*", "Observation", "Condition"]),
    some.sampled_from(["r", "s", "rs", "cud", "cruds", "read", "*"]), some.sampled_from(["", "", "?status=final"]),
), max_size=4).map(" ".join)


@given(_SCOPES, _SCOPES, some.sampled_from(["read", "search", "create", "update", "delete", "history"]), some.sampled_from(["Observation", "Condition", "Patient"]))
def test_narrowing_never_widens(asked: str, most: str, interaction: str, type_: str) -> None:
    kept = parse(narrowed(asked, most))
    for limit in limits(kept, interaction, type_):
        for bound in (parse(asked), parse(most)):
            assert any(
                set(wider.query.split("&")) - {""} <= set(limit.query.split("&")) and (limit.patient or not wider.patient)
                for wider in limits(bound, interaction, type_))


def test_where_an_app_of_a_person_may_go() -> None:
    assert opens(None, "access.clients")
    assert opens("patient/*.rs openid", "records.read")
    assert not opens("patient/*.rs openid", "web.account")
    assert not opens("", "clinician.read")
    assert opens("system/*.rs", "exchange.receive")
    assert asks("user/AuditEvent.rs", "GET", "/fhir/AuditEvent")
    assert asks("user/AuditEvent.rs", "GET", "/fhir/AuditEvent/{id}")
    assert not asks("user/AuditEvent.s", "GET", "/fhir/AuditEvent/{id}")
    assert not asks("patient/*.rs", "GET", "/fhir/AuditEvent")
    assert not asks("user/AuditEvent.rs?date=ge2026", "GET", "/fhir/AuditEvent")
    assert not asks("user/Patient.rs", "GET", "/fhir/AuditEvent")
