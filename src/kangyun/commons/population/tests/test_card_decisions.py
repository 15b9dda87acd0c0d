"""The numbers of the card against the national specification's example, its codes, and its signed form."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from kangyun.base.keys import sm4
from kangyun.base.web.display import CHINA
from kangyun.commons.population.decisions import card
from kangyun.commons.population.decisions.card.algorithm import factor, user_key
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

# The worked example of the national specification.
ROOT = sm4(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
EXAMPLE = card.Holder("01", "11010020171225006X", "电子健康卡")
INDEX = "ABD17E7ED399EF68AB5660155D6E226D2C92EAC3254A4A66BED83AED0ADA1E9E"
NUMBER = "98FF9F2C05145CB9305E9D8A57E072BB51180CA49E5BE5E9D41BCE3A9A571928"


def test_the_published_example_comes_out():
    assert card.numbers_of(EXAMPLE, ROOT) == card.Numbers(INDEX, NUMBER)
    assert factor(bytes.fromhex(INDEX)).hex().upper() == "92CDCE45A16799FD"
    assert user_key(ROOT, bytes.fromhex(INDEX)).hex().upper() == "86C63180C2806ED1F47B859DE501215B"


def test_the_moment_of_expiry_is_sealed():
    moment = datetime(2018, 1, 17, 11, 50, 3, tzinfo=CHINA)
    assert card.expiry_block(ROOT, moment) == "AA947AE3BC7902BDC99507B876148153"


def test_a_short_document_number_gives_one_block():
    assert len(card.numbers_of(card.Holder("03", "E12345678", "LI NA"), ROOT).card) == 32


def identifier(value: str, system: str = ID_NUMBER_SYSTEM, **more: Any) -> dict[str, Any]:
    return {"system": system, "value": value, **more}


PASSPORT = {"coding": [{"code": "PPN"}]}


@pytest.mark.parametrize(("identifiers", "names", "expected"), [
    ([identifier("99010119900101001x")], [{"text": "李娜"}], card.Holder("01", "99010119900101001X", "李娜")),
    ([identifier("E1", "urn:p", type=PASSPORT), identifier("990101199001010019")], [{"text": "李娜"}], card.Holder("01", "990101199001010019", "李娜")),
    ([identifier("E1", "urn:p", type=PASSPORT)], [{"family": "Li", "given": ["Na"]}], card.Holder("03", "E1", "LiNa")),
    ([identifier("1", use="old"), identifier("2")], [{"text": "旧", "use": "old"}, {"text": "新", "use": "official"}], card.Holder("01", "2", "新")),
    ([identifier("1", "urn:mr")], [{"text": "李娜"}], None),
    ([identifier("1")], [], None),
])
def test_the_holder_is_read_from_the_golden_record(identifiers: list[Any], names: list[Any], expected: card.Holder | None):
    assert card.holder_of({"identifier": identifiers, "name": names}) == expected


@pytest.mark.parametrize("kind", ["dynamic", "static", "temporary"])
def test_a_code_is_read_as_it_was_written(kind: Any):
    terms, expiry = card.terms(), "A" * 32 if kind == "dynamic" else ""
    assert card.parse_code(card.code_text(kind, NUMBER, terms, expiry), terms) == card.Code(kind, NUMBER, expiry)


@pytest.mark.parametrize("text", ["", "x", NUMBER, f"{NUMBER}:5", f"{NUMBER}:1:{'A' * 32}", f"{NUMBER}:1\n{NUMBER}:1", "a.b.c", ":" * 5000])
def test_other_codes_are_nobodys_card(text: str):
    assert card.parse_code(text, card.terms()) is None


CLAIMS = card.Claims(NUMBER, 2, 1_800_000_000, 1_800_086_400, "abc", "张*三")


def test_a_token_is_read_as_it_was_written():
    text = card.signed_text(card.unsigned_text(CLAIMS, "SM2", "a1b2c3d4"), b"s" * 64)
    assert len(text) < 300
    token = card.parse_token(text)
    assert token is not None
    assert (token.algorithm, token.key_id, token.claims, token.signature) == ("SM2", "a1b2c3d4", CLAIMS, b"s" * 64)
    assert token.signed.decode() == text.rpartition(".")[0]
    assert card.parse_code(text, card.terms()) == card.Code("signed", token=text)


@pytest.mark.parametrize("text", ["", "a.b.c", "e30.e30.e30", "WzFd.WzFd.WzFd", "!.!.!", "e30.eyJjIjoxfQ.e30"])
def test_what_is_no_token_is_none(text: str):
    assert card.parse_token(text) is None


def test_a_resident_may_freeze_but_not_replace():
    assert card.may_follow("active", "resident") == ["freeze", "report_lost"]
    assert "replace" in card.may_follow("lost", "clerk")
