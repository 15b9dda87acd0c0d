"""Local codes from arrival to the map: counted, suggested for, accepted by a person, and put beside what is stored already."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kangyun.app.services import Services
from kangyun.commons.exchange.actions.coding import coder_of, recode
from kangyun.commons.exchange.decisions.coding import coded, translations_of, with_translation, without_translation
from kangyun.commons.exchange.decisions.suggesting import matching, suggestions
from kangyun.commons.exchange.queries import codes
from kangyun.commons.exchange.queries.codes import Filter

LAB = ["姓名", "身份证号", "检验日期", "项目代码", "项目名称", "结果", "单位", "参考范围"]
HL7 = (
    "MSH|^~\\&|LIS|CODES|||20260301080000+0800||ORU^R01|{}|P|2.5||||||UNICODE UTF-8\rPID|1||C77^^^CODES^MR||周秀兰||19560304|F\r"
    "OBR|1||R{}|SHQT^生化^99C|||20260301080000\rOBX|1|NM|JG7^肌酐^99C||88|umol/L|41-81|H|||F\r"
)


def lab(*items: tuple[str, str, str]) -> bytes:
    rows = [LAB, *(["周秀兰", "990121195603040423", "2026-03-01", code, name, value, "mmol/L", "3.9-6.1"] for code, name, value in items)]
    return "\r\n".join(",".join(row) for row in rows).encode()


async def send(api: httpx.AsyncClient, body: bytes, sender: str) -> None:
    answer = await api.post("/exchange/tables", params={"sender": sender}, content=body)
    assert answer.status_code == 201, answer.text


async def unknown(services: Services, state: str = "open") -> dict[tuple[str, str], int]:
    await coder_of(services.database).flush()
    async with services.database.connection() as connection:
        return {(one.sender, one.code): one.number for one in await codes.listed(connection, Filter(state))}


async def observations(services: Services, code: str) -> list[dict[str, Any]]:
    return (await services.gate.system("test").search("Observation", [("code", code)])).resources


async def decide(api: httpx.AsyncClient, row: codes.UnknownCode, **fields: str) -> httpx.Response:
    page = await api.get("/exchange/codes")
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token is not None
    data = {"csrf": token[1], "sender_key": str(row.sender_key), "system": row.system, "code": row.code, "role": row.role, **fields}
    return await api.post("/exchange/codes/decide", data=data)


async def the_row(services: Services, code: str, state: str = "open") -> codes.UnknownCode:
    async with services.database.connection() as connection:
        return next(one for one in await codes.listed(connection, Filter(state)) if one.code == code)


async def test_an_unknown_code_is_counted_mapped_and_put_beside_what_is_stored(api: httpx.AsyncClient, services: Services):
    await send(api, lab(("XT01", "葡萄糖", "6.9"), ("QNXX", "全血粘度", "4.1")), "LAB1")
    await send(api, lab(("XT01", "葡萄糖", "7.2")), "LAB1")
    assert await unknown(services) == {("LAB1", "XT01"): 2, ("LAB1", "QNXX"): 1}
    page = await api.get("/exchange/codes")
    assert "XT01" in page.text
    assert "14749-6" in page.text
    row = await the_row(services, "XT01")
    answer = await decide(api, row, do="accept", target="14749-6")
    assert answer.status_code == 303
    maps = (await services.gate.system("test").search("ConceptMap", "")).resources
    assert [(one["meta"]["versionId"], one["group"][0]["source"], one["group"][0]["target"]) for one in maps] == [("1", row.system, "http://loinc.org")]
    assert await observations(services, "http://loinc.org|14749-6") == []
    await recode(services, {"system": row.system, "code": "XT01", "roles": [row.role]})
    found = await observations(services, "http://loinc.org|14749-6")
    assert [[one["code"] for one in resource["code"]["coding"]] for resource in found] == [["XT01", "14749-6"]]
    again = await recode(services, {"system": row.system, "code": "XT01", "roles": [row.role]})
    assert again is None
    assert [one["meta"]["versionId"] for one in await observations(services, "http://loinc.org|14749-6")] == [found[0]["meta"]["versionId"]]
    # What comes afterwards is coded on its way.
    coder_of(services.database).forget()
    other = lab(("XT01", "葡萄糖", "8.1")).replace(b"2026-03-01", b"2026-04-01")
    await send(api, other, "LAB1")
    assert len(await observations(services, "http://loinc.org|14749-6")) == 2
    assert ("LAB1", "XT01") not in await unknown(services)


async def test_a_decision_can_be_rejected_and_taken_back(api: httpx.AsyncClient, services: Services):
    await send(api, lab(("NOFIT", "不知何物", "1")), "LAB2")
    await coder_of(services.database).flush()
    row = await the_row(services, "NOFIT")
    assert (await decide(api, row, do="reject")).status_code == 303
    assert ("LAB2", "NOFIT") in await unknown(services, "rejected")
    assert (await decide(api, row, do="reopen")).status_code == 303
    assert ("LAB2", "NOFIT") in await unknown(services)
    assert (await decide(api, row, do="accept", target="0000-0")).status_code == 422
    assert (await decide(api, row, do="accept", target="718-7")).status_code == 303
    mapped = await the_row(services, "NOFIT", "mapped")
    assert mapped.target_code == "718-7"
    assert (await decide(api, mapped, do="reopen")).status_code == 303
    coder_of(services.database).forget()
    later = lab(("NOFIT", "不知何物", "2")).replace(b"2026-03-01", b"2026-05-01")
    await send(api, later, "LAB2")
    assert len(await observations(services, "http://loinc.org|718-7")) == 0


async def test_codes_of_hl7_messages_go_the_same_way(api: httpx.AsyncClient, services: Services):
    answer = await api.post("/exchange/hl7v2", content=HL7.format("C1", "1").encode(), headers={"content-type": "text/plain"})
    assert "MSA|AA" in answer.text, answer.text
    await coder_of(services.database).flush()
    row = await the_row(services, "JG7")
    assert (row.sender, row.role, row.display) == ("CODES", "Observation.code", "肌酐")
    await decide(api, row, do="accept", target="14682-9")
    coder_of(services.database).forget()
    await api.post("/exchange/hl7v2", content=HL7.format("C2", "2").encode(), headers={"content-type": "text/plain"})
    found = await observations(services, "http://loinc.org|14682-9")
    assert len(found) == 1
    assert [one["code"] for one in found[0]["code"]["coding"]] == ["JG7", "14682-9"]


async def test_one_code_shows_suggestions_and_a_search(api: httpx.AsyncClient, services: Services):
    await send(api, lab(("HHH", "血红蛋白量", "130")), "LAB3")
    await coder_of(services.database).flush()
    row = await the_row(services, "HHH")
    query = urlencode({"sender_key": row.sender_key, "system": row.system, "code": row.code, "role": row.role, "q": "xxb"})
    page = await api.get(f"/exchange/codes/one?{query}")
    assert page.status_code == 200
    assert "718-7" in page.text
    assert "777-3" in page.text, "platelets are found by their pinyin initials"
    assert (await api.get("/exchange/codes/one?code=none")).status_code == 404


@pytest.mark.parametrize(
    ("role", "code", "display", "expected"),
    [
        ("Observation.code", "XHDB", "血红蛋白", "718-7"),
        ("Observation.code", "GBZAM", "谷丙转氨酶", "1742-6"),
        ("Observation.code", "PTT", "葡萄糖测定", "14749-6"),
        ("Observation.code", "TC", "", "14647-2"),
        ("Condition.code", "GXY", "高血压病", "I10"),
        ("MedicationRequest.medicationCodeableConcept", "A1", "缬沙坦分散片80mg", "C09CA03"),
        ("AllergyIntolerance.code", "QMS", "青霉素", "J01CE01"),
        ("AllergyIntolerance.code", "QMS", "青霉素类", "J01CE01"),
        ("MedicationRequest.medicationCodeableConcept", "A2", "注射用苄星青霉素120万单位", "J01CE08"),
        ("MedicationRequest.medicationCodeableConcept", "A3", "氨苄青霉素", "J01CA01"),
    ],
)
def test_the_likeliest_code_comes_first(role: str, code: str, display: str, expected: str):
    assert suggestions(role, code, display)[0][0].code == expected


def test_a_drug_of_another_class_is_not_suggested_because_it_ends_alike():
    offered = suggestions("AllergyIntolerance.code", "QMS", "青霉素")
    assert {term.code[:4] for term, _ in offered} == {"J01C"}
    assert suggestions("AllergyIntolerance.code", "LMS", "链霉素") == []


def test_a_person_finds_a_code_by_name_english_or_pinyin():
    assert matching("Observation.code", "jg")[0].name == "肌酐"
    assert "14682-9" in [one.code for one in matching("Observation.code", "creatin")]


SYSTEM = "urn:kangyun:sender:X:codes:lab"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["coding", "code", "system", "text", "value", "x"]), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["code", "resourceType", "component", "x"]), JSON, max_size=4))
def test_whatever_a_resource_looks_like_nothing_is_lost(resource: dict[str, Any]):
    table = translations_of([with_translation(None, (SYSTEM, "A", ""), ("http://loinc.org", "718-7", ""))])
    before = repr(resource)
    # What is no FHIR at all is refused by the record, not here.
    with suppress(AttributeError, TypeError):
        coded(resource, table)
    assert repr(resource) == before


def test_a_map_forgets_what_is_taken_back():
    one = with_translation(None, (SYSTEM, "A", "甲"), ("http://loinc.org", "718-7", "血红蛋白"))
    two = with_translation(one, (SYSTEM, "B", "乙"), ("http://loinc.org", "777-3", ""))
    changed = with_translation(two, (SYSTEM, "A", "甲"), ("http://loinc.org", "789-8", ""))
    assert set(translations_of([two])) == {(SYSTEM, "A"), (SYSTEM, "B")}
    assert translations_of([changed])[SYSTEM, "A"] == ({"system": "http://loinc.org", "code": "789-8"},)
    left = without_translation(without_translation(changed, "A"), "B")
    assert translations_of([left]) == {}
