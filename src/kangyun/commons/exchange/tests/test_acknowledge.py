from __future__ import annotations

from datetime import UTC, datetime

from kangyun.base import errors
from kangyun.commons.exchange.decisions.acknowledge import build, peek
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.model import Reason

errors.register("kangyun.commons.exchange")
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
HEADER = "MSH|^~\\&|HIS^1.2^ISO|YZFH|KANGYUN|YUNZHOU|20240311||ADT^A04^ADT_A01|F1\\T\\x|P|2.5|||AL|NE|CHN|{}\r"


def test_the_header_is_read_even_from_wreckage():
    header = peek(b"\x00\x07junk MSH|^~\\&|HIS|YZFH|||||ADT^A04|77\xff\xfe|P|2.5")
    assert (header.application, header.facility, header.event) == ("HIS", "YZFH", "A04")
    assert header.control_id.startswith("77")
    assert peek(b"nothing at all").control_id == ""
    assert peek(b"MSH").sender == "unknown"


def test_it_answers_the_sender_with_his_control_id():
    parsed = parse(build(peek(HEADER.format("UNICODE UTF-8").encode()), "AA", NOW).decode())
    msa = parsed.first("MSA")
    assert msa is not None
    assert msa.text(1) == "AA"
    assert parsed.header.text(5) == "HIS"
    assert parsed.header.text(6) == "YZFH"
    assert (parsed.kind, parsed.event) == ("ACK", "A04")
    assert parsed.first("ERR") is None


def test_the_fault_is_named_in_the_senders_language_and_character_set():
    header = peek(HEADER.format("GB 18030-2000").encode("gb18030"))
    reason = Reason("exchange.bad-date", "PID-7.1", {}, "102", 2)
    parsed = parse(build(header, "AE", NOW, reason=reason, language="zh").decode("gb18030"))
    err = parsed.first("ERR")
    msa = parsed.first("MSA")
    assert err is not None
    assert msa is not None
    assert err.raw(2) == "PID^2^7^1^1"
    assert err.text(3) == "102"
    assert err.text(4) == "E"
    assert err.text(8) == "不是有效的日期。"
    assert err.text(7) == "Not a valid date."
    assert msa.text(3) == "不是有效的日期。"


def test_old_versions_get_the_place_in_the_first_field():
    header = peek(b"MSH|^~\\&|HIS|YZ|||2024||ADT^A04|1|P|2.3")
    err = parse(build(header, "AE", NOW, reason=Reason("exchange.bad-date", "PID-7", {}, "102")).decode()).first("ERR")
    assert err is not None
    assert err.raw(1) == "PID^1^7^102&Data type error&HL70357"


def test_enhanced_mode_answers_with_commit_codes():
    msa = parse(build(peek(HEADER.format("").encode()), "AR", NOW, enhanced=True).decode()).first("MSA")
    assert msa is not None
    assert msa.text(1) == "CR"


def test_delimiters_in_what_is_echoed_are_escaped():
    header = peek(b"MSH$*!?%$HIS$YZ|1$$$2024$$ADT*A04$9^9|1$P$2.5")
    parsed = parse(build(header, "AA", NOW).decode())
    msa = parsed.first("MSA")
    assert msa is not None
    assert msa.text(2) == "9^9|1"
    assert parsed.header.text(6) == "YZ|1"
