"""HL7 v2 messages, read back by an independent reader."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict

from yunzhou import cards, institutions, people
from yunzhou.body import Body
from yunzhou.hospital import Hospital
from yunzhou.households import Household
from yunzhou.messages import Message
from yunzhou.tests.standard import SYSTEM_ID, Split, homes, small_city, told
from yunzhou.visits import Cancelled, Visit, of_year

EVENTS = {"A01", "A02", "A03", "A04", "A08", "A11", "A13", "A28", "A31", "A40"}


def _hl7(institution: int | None = None) -> list[tuple[Message, Split]]:
    return [
        (message, Split(message))
        for message in told(0.0)
        if message.transport == "mllp" and institution in {None, message.institution}
    ]


def test_the_same_seed_gives_the_same_bytes() -> None:
    again = list(small_city().messages())
    assert [message.body for message in again] == [message.body for message in told()]
    assert [message.facts for message in again] == [message.facts for message in told()]


def test_another_seed_gives_another_city() -> None:
    assert [message.id for message in small_city(seed=8).messages()] != [message.id for message in told()]


def test_control_ids_are_unique_and_short() -> None:
    ids = [(message.institution, message.id) for message in told()]
    assert len(set(ids)) == len(ids)
    assert all(len(name) <= 20 for _, name in ids)


def test_messages_of_a_household_are_in_order_of_time() -> None:
    last: dict[int, Message] = {}
    for message in told():
        assert message.household not in last or last[message.household].at <= message.at
        last[message.household] = message


def test_every_header_says_what_the_message_is() -> None:
    for message, split in _hl7():
        house = institutions.institution(message.institution)
        assert split.field("MSH", 2) == "^~\\&"
        assert split.field("MSH", 4) == house.mnemonic
        assert split.field("MSH", 9).startswith(message.kind)
        assert split.field("MSH", 10) == message.id
        assert split.field("MSH", 12) == house.version
        assert split.field("MSH", 18) == house.charset


def test_all_events_of_the_interface_occur() -> None:
    events = {split.field("MSH", 9).split("^")[1] for _, split in _hl7()}
    assert events | {"A02", "A13"} == EVENTS | {"R01"}


def test_the_first_hospital_writes_identifiers_with_authority() -> None:
    for _, split in _hl7(1):
        numbers = split.field("PID", 3).split("~")
        assert numbers[0].endswith("^^^YZFH&2.16.156.10011.99.1&ISO^MR")
        for number in numbers[1:]:
            parts = number.split("^")
            assert people.is_valid(parts[0])
            assert (parts[3], parts[4]) == (f"MOPS&{SYSTEM_ID}&ISO", "NNCHN")
        assert split.field("PID", 19) == ""
        assert split.field("PID", 8) in {"M", "F"}


def test_the_tcm_hospital_keeps_its_habits() -> None:
    for _, split in _hl7(2):
        assert "^" not in split.field("PID", 3) + split.field("PID", 5)
        number = split.field("PID", 19)
        assert len(number) in {0, 15} or people.is_valid(number)
        assert split.field("PID", 8) in {"1", "2"}
        assert split.field("PID", 13) in {"", "无"} or split.field("PID", 13).isdigit()
        assert "+" not in split.field("MSH", 7)
        assert not split.all("ORC")


def test_registration_comes_before_every_visit() -> None:
    known: set[str] = set()
    for _, split in _hl7():
        record = split.field("PID", 3).split("~")[0]
        if split.field("MSH", 9).startswith("ADT^A28"):
            assert record not in known
            known.add(record)
        assert record in known


def test_a_stay_has_its_events_in_order() -> None:
    stays: dict[str, list[str]] = defaultdict(list)
    for message, split in _hl7():
        if message.kind.startswith("ADT") and split.field("PV1", 2) == "I":
            stays[split.field("PV1", 19)].append(message.kind[4:])
    assert len(stays) > 8
    for events in stays.values():
        assert events[0] == "A01"
        assert "A11" not in events or len(events) == 2


def _stay() -> tuple[Household, Visit]:
    """A stay of the small city, moved to another bed and taken back once."""
    for home in homes():
        for person in home.people:
            for visit in of_year(7, home, Body(7, person), 2025, Cancelled(0, 1)):
                if visit.kind == "inpatient" and visit.transfer and visit.institution.speaks == "hl7":
                    return home, visit
    raise AssertionError("no such stay")


def test_a_transfer_and_a_cancelled_discharge_are_told_in_order() -> None:
    home, visit = _stay()
    card = cards.card(home, visit.person, visit.institution, visit.start)
    told_events = sorted(Hospital(visit.institution).visited(visit, card, []), key=lambda message: message.at)
    events = [message.kind[4:] for message in told_events if message.kind != "ORU^R01"]
    assert events == ["A01", "A08", "A02", "A03", "A13", "A03"]
    assert [message.facts[0]["status"] for message in told_events if message.kind == "ADT^A13"] == ["in-progress"]
    moved = Split(next(message for message in told_events if message.kind == "ADT^A02"))
    assert moved.field("PV1", 3) != moved.field("PV1", 6) != ""


def test_every_visit_number_belongs_to_one_resident() -> None:
    owner: dict[str, str] = {}
    for message, split in _hl7():
        number = split.field("PV1", 19)
        if number:
            assert owner.setdefault(number, number[1:9]) == number[1:9]
            assert message.every_fact()


def test_results_say_number_code_value_unit_and_range() -> None:
    seen = 0
    for message, split in _hl7():
        facts = [fact for fact in message.every_fact() if fact["fact"] == "result"]
        for line, fact in zip(split.all("OBX"), facts, strict=False):
            seen += 1
            codes = line[3].split("^")
            assert set(fact["codes"]) <= {codes[0], codes[3] if len(codes) > 3 else ""}  # type: ignore[arg-type]
            assert line[5] == fact["value"]
            assert line[11] == "F"
            assert line[14][:8] == str(fact["at"])[:10].replace("-", "")
    assert seen > 1000


def _judge(value: float, reference: str) -> set[str]:
    """Judge a value by the printed reference range alone."""
    low, high = "", ""
    if reference[:2] == ">=":
        low = reference[2:]
    elif reference[:2] == "<=":
        high = reference[2:]
    else:
        low, high = reference.replace("--", "-").split("-")
    if low and value < float(low):
        return {"L", "LL", "↓"}
    return {"H", "HH", "↑"} if high and value > float(high) else {"N", ""}


def test_every_flag_is_that_of_the_printed_range() -> None:
    judged = 0
    for _, split in _hl7():
        for line in split.all("OBX"):
            if line[2] == "NM" and line[7]:
                judged += 1
                critical = line[8] in {"HH", "LL"}
                assert critical or line[8] in _judge(float(line[5]), line[7])
    assert judged > 1000


def test_arrows_and_letters_mean_the_same() -> None:
    meaning = {"↑": {"H", "HH"}, "↓": {"L", "LL"}, "": {"N", "A", ""}}
    for message, split in _hl7(2):
        facts = [fact for fact in message.every_fact() if fact["fact"] == "result"]
        for line, fact in zip(split.all("OBX"), facts, strict=False):
            assert fact["flag"] in meaning.get(line[8], {line[8]})


def test_caret_units_are_escaped() -> None:
    units = {line[6] for _, split in _hl7(2) for line in split.all("OBX") if len(line) > 6}
    assert "10\\S\\9/L" in units


def test_a_discharge_summary_carries_a_real_pdf() -> None:
    pages = [line for _, split in _hl7() for line in split.all("OBX") if line[2] == "ED"]
    assert pages
    for page in pages:
        _, kind, subtype, encoding, data = page[5].split("^")
        assert (kind, subtype, encoding) == ("application", "pdf", "Base64")
        content = base64.b64decode(data, validate=True)
        assert content.startswith(b"%PDF-1.4")
        start = int(content.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
        assert content[start:].startswith(b"xref")


def test_wrong_messages_are_additional_and_break_what_they_say() -> None:
    wrong = [message for message in told(20.0) if message.expected == "refused"]
    right = {(message.institution, message.id) for message in told(20.0)}
    assert len({message.reason for message in wrong}) == 4
    for message in wrong:
        assert (message.institution, message.id[:-1]) in right
        assert not message.facts
        split = Split(message)
        assert split.field("MSH", 10) == message.id
        if "check digit" in message.reason:
            numbers = [split.field("PID", 19), *(one.split("^")[0] for one in split.field("PID", 3).split("~"))]
            assert any(len(number) == 18 and not people.is_valid(number) for number in numbers)


def test_a_merge_names_the_record_that_disappears() -> None:
    merges = [(message, split) for message, split in _hl7() if message.kind == "ADT^A40"]
    for message, split in merges:
        gone, kept = split.field("MRG", 1).split("^")[0], split.field("PID", 3).split("^")[0]
        assert gone == f"{kept}D"
        assert message.facts[0]["gone"] == gone


def test_history_until_later_begins_with_the_history_until_today() -> None:
    from datetime import timedelta

    from yunzhou.city import City, window
    from yunzhou.tests.standard import UNTIL

    later = City(7, 100, window(3, UNTIL + timedelta(days=20), 0.0))
    bodies = Counter((message.id, message.body) for message in later.messages() if message.at < UNTIL)
    assert bodies == Counter((message.id, message.body) for message in told(0.0))
