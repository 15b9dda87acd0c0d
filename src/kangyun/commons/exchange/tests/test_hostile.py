"""Whatever stands in a message, it becomes valid FHIR or a fault with a place; never anything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kangyun.base.fhir import json as fhir_json
from kangyun.base.fhir.validation import validate
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.showing import show
from kangyun.commons.exchange.decisions.translate import settle, translate
from kangyun.commons.exchange.decisions.visits import join
from kangyun.commons.exchange.model import Fault
from kangyun.commons.exchange.tests.test_whole_day import CASES

ADT = [
    "MSH|^~\\&|HIS|YZFH|KANGYUN|YUNZHOU|20240311082200+0800||ADT^A08^ADT_A01|F1|P|2.5|||AL|NE|CHN|UNICODE UTF-8",
    "EVN|A08|20240311082200+0800||||20240311082100+0800",
    "PID|1|X1^^^YZ|F421^^^YZFH&2.16.156.10011.99.1&ISO^MR~990121195603040423^^^MOPS^NNCHN||周^秀兰^^^^^L^I~ZHOU^XIULAN^^^^^L^A|李|19560304|F|||柳河镇12号^^云州市^云岭省^990121^CHN^H^^99012||^PRN^CP^^^^^^^^^12913005521|^WPN|zh|M|||||M9|01^汉族^GB/T 3304|云州|N|1|CHN||CHN||N",
    "NK1|1|吴^国强^^^^^L^I|SPO^配偶^HL70063|柳河镇|12913005520|||20200101|||||||M|19540101",
    "PV1|1|O|03^1^2^YZFH^^^A^B^内分泌科|R|||F1012^王^志远|||03|||1|7||||1|V1^^^YZFH&2.16.156.10011.99.1.1&ISO^VN|||||||||||||||||01||||||||20240311082200+0800|20240311092200+0800",
    "PV2|||R51^头痛^I10",
    "DG1|1||E11.900^2型糖尿病^I10|糖尿病|20240311|W",
    "AL1|1|DA|PEN^青霉素^99YZFH|MO|皮疹|20110504",
    "IN1|1|310|310|城乡居民医保||||||||20260101|20261231",
]
ORU = [
    "MSH|^~\\&|LIS|YZFH|KANGYUN|YUNZHOU|20240311104100+0800||ORU^R01^ORU_R01|F2|P|2.5|||AL|NE|CHN|UNICODE UTF-8",
    "PID|1||F421^^^YZFH&2.16.156.10011.99.1&ISO^MR||周^秀兰||19560304|F",
    "PV1|1|O|03||||F1012^王^志远||||||||||||V1^^^YZFH&2.16.156.10011.99.1.1&ISO^VN",
    "ORC|RE|P1|R1||CM",
    "OBR|1|P1^L^1.2.3^ISO|R1^L^1.2.4^ISO|24323-8^生化全套^LN|||20240311083600+0800|20240311083700+0800||||||||||||||20240311104100+0800||LAB|F|||||||&李&四",
    "NTE|1||空腹",
    "OBX|1|NM|14749-6^葡萄糖^LN^GLU^葡萄糖^99YZFH||8.4|mmol/L|3.9-6.1|H|||F|||20240311083600+0800|LAB^检验科|F2^李^四||BLD^x^y",
    "OBX|2|SN|1-8^比值^LN||^1^:^128||<1:64|↑|||F",
    "OBX|3|CWE|2-6^血型^LN||A^A型^99YZFH~P^阳性^99YZFH||||||C",
    "OBX|4|TX|3-4^所见^LN|1|未见异常~第二行||||||P",
    "OBX|5|ED|4-2^报告^LN||^application^pdf^Base64^JVBERi0xLjQK||||||F",
    "OBX|6|TS|5-9^时间^LN||20240311083600||||||F",
    "NTE|1||溶血",
    "SPM|1|S1^S2||BLD^全血|||||||||||||20240311083600|20240311084600",
]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
PIECES = st.sampled_from([
    "", '""', "^", "^^^", "~", "&", "x", "0", "-1", "99999999", "20240230", "2024", "Z", "周", "a b", "\\", "\\.br\\", "\\X00\\", "1e5",
    "<5", "3.9-6.1", "\u200b", "\u3000", "   ", "^a^b", "a&b&c", "~~", "1^2^3^4^5^6^7^8^9", "é\t", "\x07", "NaN", "1" * 60, "A" * 300,
])  # fmt: skip


def _each_field(segments: list[str]) -> Iterator[list[str]]:
    """The message again and again, with blanks or empty repetitions in one field after the other, and in some behind the last."""
    for at, line in enumerate(segments):
        for field in range(1, line.count("|") + 4):
            for piece in ("\u3000", "~~"):
                fields = [*line.split("|"), *[""] * 4]
                fields[field] = piece
                yield [*segments[:at], "|".join(fields), *segments[at + 1:]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_no_field_of_what_is_sent_in_a_day_is_a_fault_of_ours_when_it_is_blank(case: dict[str, Any]):
    for type_, *segments in case["messages"]:
        head = f"MSH|^~\\&|HIS|YZFH|KANGYUN|YUNZHOU|20240311082200+0800||{type_}|F1|P|{case['version']}|||AL|NE|CHN|UNICODE UTF-8"
        for changed in _each_field(segments):
            with suppress(Fault):
                settle(translate(parse("\r".join([head, *changed])), sender_of("YZFH"), NOW), "p1")


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from([ADT, ORU]), st.lists(st.tuples(st.integers(1, 14), st.integers(1, 45), PIECES | st.text(max_size=20)), max_size=4))
def test_any_field_may_hold_anything(message: list[str], changes: list[tuple[int, int, str]]):
    lines = list(message)
    for number, field, value in changes:
        fields = lines[number % len(lines)].split("|")
        if number % len(lines):
            fields += [""] * (field + 1 - len(fields))
            fields[field] = value.replace("\r", "").replace("\n", "")
        lines[number % len(lines)] = "|".join(fields)
    text = "\r".join(lines)
    show(text.encode("utf-8", "replace"), None, masked=True)
    try:
        sheet = translate(parse(text), sender_of("YZFH"), NOW)
    except Fault as fault:
        sheet = None
        known = fault.place or fault.key == "exchange.bad-segment"
    else:
        known = True
    assert known
    if sheet is None:
        return
    resources = [{"resourceType": "Patient", **one} for one in sheet.patients]
    resources += [join(None, one, sheet.occurred) if one["resourceType"] == "Encounter" else one for _, one in settle(sheet, "p1")]
    for resource in resources:
        stored = fhir_json.loads(fhir_json.dumps(resource))
        faults = [(issue.expression, issue.key) for issue in validate(stored) if issue.severity in {"error", "fatal"}]
        assert faults == []
