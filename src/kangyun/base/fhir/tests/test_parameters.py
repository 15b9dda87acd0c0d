"""What an operation is asked with: the right value by its name, or a refusal that names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kangyun.base.errors import Problem, text
from kangyun.base.fhir import json as fhir_json
from kangyun.base.fhir.parameters import Parameters, Reading, answer, posted, told

Read = Callable[[Parameters], Any]

READS: dict[str, Read] = {
    "text": lambda said: said.text("one", needed=True), "number": lambda said: said.number("one", 0, 1000), "whole": lambda said: said.whole("one"),
    "money": lambda said: said.money("one"), "day": lambda said: said.day("one"), "time": lambda said: said.time("one"),
}


def said(*given: Any, reading: Reading | None = None) -> Parameters:
    return Parameters(list(given), reading or Reading())


def one(value: Any, kind: str = "String") -> Parameters:
    return said({"name": "one", f"value{kind}": value})


def refused(read: Read, given: Parameters) -> Problem:
    with pytest.raises(Problem) as caught:
        read(given)
    return caught.value


def test_what_was_said_is_read() -> None:
    assert one("  words ").text("one") == "words"
    assert one({"reference": "https://there.cn/fhir/Patient/p1"}, "Reference").text("one") == "p1"
    assert [one(value).written("one") for value in (7, Decimal("1.50"), " 2 ", True, {})] == ["7", "1.50", "2", "", ""]
    assert one(7, "Integer").whole("one") == 7
    assert one({"value": Decimal("12.30"), "currency": "CNY"}, "Money").money("one") == 1230
    assert one("2027-05-31", "Date").day("one") == date(2027, 5, 31)
    assert one("08:30:00", "Time").time("one") == time(8, 30)
    assert one(True, "Boolean").flag("one")
    assert one({"code": "I10", "display": "Hypertension"}, "Coding").codings("one") == [("I10", "Hypertension")]
    assert said({"name": "one", "resource": {"resourceType": "Patient"}}).resource("one") == {"resourceType": "Patient"}


@pytest.mark.parametrize("kind", READS)
def test_what_is_missing_is_refused_by_its_name(kind: str) -> None:
    for given in (said(), said({"name": "other", "valueString": "x"}), said({"name": "one"}), Parameters(7, Reading()), said(5, None)):
        (issue,) = refused(READS[kind], given).issues
        assert issue.expression == "Parameters.parameter.where(name='one')"
        assert "one" in text(issue, "zh")
        assert "one" in text(issue, "en")


@pytest.mark.parametrize(("kind", "value"), [
    ("text", True), ("text", 7), ("text", {"code": "x"}), ("text", {"reference": ["Patient/1"]}), ("text", ["x"]), ("text", " "),
    ("number", "many"), ("number", True), ("number", {"value": 1}), ("number", -1), ("number", 1001),
    ("whole", "7"), ("whole", 7.5), ("whole", True), ("whole", 2**31), ("whole", -(2**31) - 1),
    ("money", 5), ("money", {"value": "1.005"}), ("money", {"value": 1, "currency": "USD"}), ("money", {"value": "1e999999"}), ("money", {"currency": "CNY"}),
    ("day", "31.5.2027"), ("day", "2027-02-30"), ("day", 2027), ("time", "25:00"), ("time", 8),
])
def test_what_is_wrong_is_refused_by_its_name(kind: str, value: Any) -> None:
    (issue,) = refused(READS[kind], one(value)).issues
    assert issue.params == {"name": "one"}


@pytest.mark.parametrize("written", ["NaN", "sNaN", "Infinity", "-Infinity", "1e999999", "-1e999999", "1e-999999", "0e-999999", "1_0e999999999"])
def test_a_number_that_nobody_can_reckon_with_is_refused(written: str) -> None:
    refused(READS["number"], one(written))


def test_a_decimal_keeps_the_digits_it_was_written_with() -> None:
    for written in ("1.50", "0.010", "100.000", "12.345678901234567"):
        posted_ = fhir_json.loads(b'{"parameter":[{"name":"one","valueDecimal":%s}]}' % written.encode())
        assert str(Parameters(posted_["parameter"], Reading()).number("one", 0, 1000)) == written
    assert str(one("1.50").number("one", 0, 1000)) == "1.50"


def test_of_a_repeated_name_the_first_counts_and_all_can_be_had() -> None:
    given = said({"name": "one", "valueString": "a"}, {"name": "two", "valueInteger": 2}, {"name": "one", "valueCode": "b"}, {"name": "one", "valueInteger": 3})
    assert given.text("one") == "a"
    assert given.texts("one") == ["a", "b"]
    assert given.values("one") == ["a", "b", 3]
    assert given.names() == ["one", "two"]


def test_parts_are_read_like_parameters_and_refused_by_their_place() -> None:
    inner = {"name": "dose", "part": [{"name": "amount", "valueDecimal": 0.5}]}
    given = said({"name": "line", "part": [{"name": "place", "valueInteger": 1}, inner]}, {"name": "line", "part": [{"name": "place", "valueString": "two"}]})
    first, second = given.parts("line")
    assert first.whole("place") == 1
    assert first.parts("dose")[0].number("amount", 0, 1) == Decimal("0.5")
    assert given.parts("other") == []
    (issue,) = refused(lambda part: part.whole("place"), second).issues
    assert issue.expression == "Parameters.parameter.where(name='line').part.where(name='place')"


def test_a_room_refuses_in_its_own_way() -> None:
    reading = Reading(text=3, status=422, code="value", key="fhir.narrative-empty")
    found = refused(READS["text"], said({"name": "one", "valueString": "four"}, reading=reading))
    assert (found.status, found.issues[0].code, found.issues[0].key) == (422, "value", "fhir.narrative-empty")
    assert said({"name": "one", "valueString": "for"}, reading=reading).text("one") == "for"


async def _echo(request: Request) -> Response:
    try:
        given = await posted(request, Reading(body=200))
    except Problem as problem:
        return Response(problem.issues[0].key, problem.status)
    return answer(told(*({"name": name, "valueString": given.text(name) or given.resource(name).get("resourceType", "")} for name in given.names())), 201)


async def _post(body: bytes, kind: str = "application/fhir+json") -> tuple[int, str]:
    transport = httpx.ASGITransport(Starlette(routes=[Route("/", _echo, methods=["POST"])]))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        got = await client.post("/", content=body, headers={"content-type": kind} if kind else {})
        return got.status_code, got.text


async def test_a_body_is_read_whoever_wrote_it() -> None:
    asked = b'{"resourceType":"Parameters","parameter":[{"name":"one","valueCode":"x"}]}'
    for kind in ("application/fhir+json", "application/json; charset=utf-8", "Application/FHIR+JSON", ""):
        assert await _post(asked, kind) == (201, asked.decode().replace("Code", "String"))
    assert await _post(b'{"resourceType":"Patient"}') == (201, '{"resourceType":"Parameters","parameter":[{"name":"resource","valueString":"Patient"}]}')
    for nothing in (b"", b" \n", b'{"resourceType":"Parameters"}'):
        assert await _post(nothing) == (201, '{"resourceType":"Parameters"}')


@pytest.mark.parametrize(("body", "kind", "status", "key"), [
    (b"<a/>", "application/xml", 415, "base.bad-media-type"), (b"one=x", "application/x-www-form-urlencoded", 415, "base.bad-media-type"),
    (b" " * 201, "application/json", 413, "base.body-too-large"), (b"[]", "application/json", 400, "fhir.json-object"), (b"{", "application/json", 400, "fhir.json-syntax"),
    (b"{}", "application/json", 400, "fhir.resource-type-missing"), (b'{"resourceType":"Nothing"}', "application/json", 400, "fhir.resource-type-unknown"),
    (b'{"resourceType":"Parameters","parameter":7}', "application/json", 400, "fhir.list-expected"),
    (b'{"resourceType":"Parameters","parameter":[7]}', "application/json", 400, "fhir.object-expected"),
    (b'{"resourceType":"Parameters","parameter":[{"name":"a","part":[7]}]}', "application/json", 400, "fhir.object-expected"),
    (b'{"resourceType":"Parameters","parameter":[{"name":"a","valueDecimal":NaN}]}', "application/json", 400, "fhir.json-syntax"),
])
async def test_a_body_that_is_none_is_refused(body: bytes, kind: str, status: int, key: str) -> None:
    assert await _post(body, kind) == (status, key)
