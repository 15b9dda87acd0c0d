from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kangyun.commons.exchange.decisions.encoding import decode
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.model import Fault

ORU = (
    "MSH|^~\\&|LIS|YZFH|KANGYUN|YUNZHOU|20240311104100+0800||ORU^R01^ORU_R01|F1|P|2.5|||AL|NE|CHN|UNICODE UTF-8\r"
    "PID|1||F0421^^^YZFH&2.16.156.10011.99.1&ISO^MR~990121195603040423^^^MOPS&2.16.156.10011.1.3&ISO^NNCHN||周^秀兰\r"
    "OBR|1|P1|R1|24323-8^生化全套^LN|||20240311083600+0800\r"
    "OBX|1|NM|14749-6^葡萄糖^LN^GLU^葡萄糖^99YZFH||8.4|mmol/L|3.9-6.1|H|||F\r"
)


def message(body: str = "", signs: str = "^~\\&", field: str = "|", end: str = "\r"):
    header = field.join(["MSH" + field + signs, "A", "B", "", "", "2024", "", "ADT^A01", "1", "P", "2.5"])
    return parse(end.join([header, body]) if body else header)


def test_it_reads_fields_repetitions_components_and_subcomponents():
    pid = parse(ORU).first("PID")
    assert pid is not None
    assert pid.text(3) == "F0421"
    assert pid.text(3, 4, 2) == "2.16.156.10011.99.1"
    assert [pid.part(one, 1) for one in pid.repetitions(3)] == ["F0421", "990121195603040423"]
    assert pid.text(5, 2) == "秀兰"
    assert pid.text(99) == ""


def test_it_counts_the_header_as_the_standard_does():
    parsed = parse(ORU)
    assert (parsed.kind, parsed.event, parsed.control_id, parsed.version) == ("ORU", "R01", "F1", "2.5")
    assert parsed.header.raw(1) == "|"
    assert parsed.header.raw(2) == "^~\\&"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_it_takes_every_segment_end(end: str):
    parsed = parse(ORU.replace("\r", end))
    assert [one.name for one in parsed.segments] == ["MSH", "PID", "OBR", "OBX"]


def test_it_takes_the_delimiters_of_the_message():
    parsed = message("PID$1$$7*a%b$$Li*Na", signs="*!?%", field="$")
    pid = parsed.first("PID")
    assert pid is not None
    assert (pid.text(3), pid.text(3, 2), pid.text(3, 2, 2), pid.text(5, 2)) == ("7", "a", "b", "Na")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"line\.br\next", "line\nnext"),
        (r"\XE4BDA0\ ok", "你 ok"),
        (r"\XD6D0\ gb", "中 gb"),
        (r"\Hbold\N\ text", r"\Hbold\N\ text"),
        (r"\H\bold\N\ text", "bold text"),
        (r"10\S\9/L", "10^9/L"),
        (r"C:\dir", r"C:\dir"),
        (r"\Zxx\ unknown", r"\Zxx\ unknown"),
    ],
)
def test_it_resolves_escapes(sent: str, read: str):
    parsed = message(f"NTE|1||{sent}")
    nte = parsed.first("NTE")
    assert nte is not None
    assert nte.text(3) == read


def test_an_explicit_delete_counts_as_nothing():
    pid = message('PID|1||""|x||""~b').first("PID")
    assert pid is not None
    assert pid.text(3) == ""
    assert pid.repetitions(6) == ["b"]


def test_a_missing_event_is_taken_from_evn():
    parsed = parse("MSH|^~\\&|A|B|||2024||ADT|1|P|2.2\rEVN|A04|2024")
    assert parsed.event == "A04"


@pytest.mark.parametrize(
    ("text", "key", "place"),
    [
        ("", "exchange.no-header", "MSH"),
        ("PID|1||", "exchange.no-header", "MSH"),
        ("MSHx^~\\&|A|B", "exchange.bad-delimiters", "MSH-1"),
        ("MSH|||||||||||", "exchange.bad-delimiters", "MSH-2"),
        ("MSH|^^^^|A", "exchange.bad-delimiters", "MSH-2"),
        ("MSH|^~\\&|A\rOB\x07noise", "exchange.bad-segment", ""),
        ("MSH|^~\\&|A\rMSH|^~\\&|B", "exchange.second-header", "MSH"),
    ],
)
def test_what_is_no_message_is_refused_with_the_place(text: str, key: str, place: str):
    with pytest.raises(Fault) as caught:
        parse(text)
    assert (caught.value.key, caught.value.place, caught.value.unreadable) == (key, place, True)


def test_a_million_segments_are_refused():
    text = ORU + "NTE|1\r" * 1_000_000
    with pytest.raises(Fault) as caught:
        parse(text)
    assert caught.value.key == "exchange.too-many-segments"
    assert caught.value.place == "NTE"


@given(st.text(max_size=400))
def test_any_text_is_parsed_or_refused(text: str):
    try:
        parsed = parse("MSH|^~\\&|" + text)
    except Fault:
        return
    for segment in parsed.segments:
        for field in range(len(segment.fields)):
            segment.text(field, 1)
            segment.repetitions(field)


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(body: bytes):
    try:
        text, codec = decode(b"MSH|^~\\&|" + body)
    except Fault:
        return
    assert text.startswith("MSH")
    assert codec


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("UNICODE UTF-8", "utf-8"),
        ("GB 18030-2000", "gb18030"),
        ("GB18030", "gb18030"),
        ("GBK", "gb18030"),
        ("GB2312", "gb18030"),
        ("BIG-5", "big5"),
        ("", "utf-8"),
        ("", "gb18030"),
    ],
)
def test_character_sets_are_honoured(declared: str, codec: str):
    text = f"MSH|^~\\&|A|B|||2024||ADT^A01|1|P|2.5||||||{declared}\rPID|1||7||周秀蘭\r"
    assert decode(text.encode(codec))[0] == text


def test_latin_1_is_honoured():
    text = "MSH|^~\\&|A|B|||2024||ADT^A01|1|P|2.5||||||8859/1\rPID|1||7||Müller\r"
    assert decode(text.encode("latin-1"))[0] == text


def test_ascii_with_chinese_bytes_is_read_as_what_it_is():
    text = "MSH|^~\\&|A|B|||2024||ADT^A01|1|P|2.5||||||ASCII\rPID|1||7||周\r"
    assert decode(text.encode("gb18030"))[0] == text


def test_a_byte_order_mark_is_ignored():
    assert decode(b"\xef\xbb\xbfMSH|^~\\&|")[0] == "MSH|^~\\&|"


@pytest.mark.parametrize(
    ("body", "key", "place"),
    [
        ("MSH|^~\\&|A".encode("utf-16"), "exchange.utf-16", "MSH-18"),
        ("MSH|^~\\&|A".encode("utf-16-be"), "exchange.utf-16", "MSH-18"),
        (b"MSH|^~\\&|A\rPID|1||7\0", "exchange.nul-byte", "PID-3"),
        (
            "MSH|^~\\&|A|B|||2024||ADT^A01|1|P|2.5||||||UNICODE UTF-8\rPID|1||7||周".encode("gb18030"),
            "exchange.charset-contradicted",
            "PID-5",
        ),
        (b"MSH|^~\\&|A|B|||2024||ADT^A01|1|P|2.5||||||KLINGON\r", "exchange.unknown-charset", "MSH-18"),
        (b"MSH|^~\\&|\x80A\xff\rPID|1", "exchange.undecodable", "MSH-3"),
    ],
)
def test_bytes_that_cannot_be_text_name_the_place(body: bytes, key: str, place: str):
    with pytest.raises(Fault) as caught:
        decode(body)
    assert (caught.value.key, caught.value.place) == (key, place)


def test_a_truncation_sign_in_the_header_is_no_delimiter_of_fields():
    parsed = message("PID|1||7^^^H#||A#B", signs="^~\\&#")
    pid = parsed.first("PID")
    assert pid is not None
    assert pid.text(5) == "A#B"


def test_big5_that_is_declared_as_cns_is_read_and_true_cns_is_refused():
    header = "MSH|^~\\&|A|B|||2024||ADT^A01|1|P|2.5||||||CNS 11643-1992\rPID|1||7||"
    assert "陳秀蘭醫師" in decode(f"{header}陳秀蘭醫師\r".encode("big5"))[0]
    with pytest.raises(Fault) as caught:
        decode(header.encode() + bytes.fromhex("c4e3c5f9c6a1c7b2c8c3c9d4cae5cbf6") + b"\r")
    assert caught.value.place == "MSH-18"
