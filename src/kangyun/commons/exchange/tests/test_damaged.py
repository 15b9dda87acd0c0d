from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from kangyun.base import rules
from kangyun.base.fhir.validation import validate
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.translate import settle, supported, translate
from kangyun.commons.exchange.model import Fault

PACKAGE = "kangyun.commons.exchange"
MSH = "MSH|^~\\&|HIS|H1|KANGYUN|YUNZHOU|20260301080000+0800||{}|1|P|2.5"
NOISE = [
    "", "x", "~", "^^", "&", "~~", "20269999", "20260230", "-1", "9" * 21, '""', "<>", "中文", "^^^^^", "a&b^c~d", "0", "<5",
    "\t", "D", "CA", "urn:x", "http://x y", "\\E\\", "1^2^3^4^5^6",
]  # fmt: skip
WHOLE = [
    [MSH.format(example.given[0]), *example.given[1:]]
    for name in sorted(set(supported().values()))
    for example in rules.load(PACKAGE, name).examples
]


def damaged(lines: list[str], chance: random.Random) -> list[str]:
    """A message with fields spoilt, segments lost, doubled or in each other's place."""
    lines = list(lines)
    for _ in range(chance.randrange(1, 5)):
        if len(lines) < 3:
            break
        at, kind = chance.randrange(1, len(lines)), chance.random()
        if kind < 0.1:
            del lines[at]
        elif kind < 0.2:
            lines.insert(at, lines[at])
        elif kind < 0.3:
            other = chance.randrange(1, len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            fields = [*lines[at].split("|"), *[""] * 5]
            fields[chance.randrange(1, len(fields))] = chance.choice(NOISE)
            lines[at] = "|".join(fields)
    return lines


def made_of(lines: list[str]) -> Sheet | Fault:
    try:
        return translate(parse("\r".join(lines)), sender_of("H1"), datetime(2026, 3, 1, tzinfo=UTC))
    except Fault as fault:
        return fault


def faults_of(resources: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(issue.key, issue.expression) for one in resources for issue in validate({**one, "id": "a"})]


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_message_is_refused_at_its_place_or_becomes_valid_resources(seed: int):
    chance = random.Random(seed)
    for _ in range(60):
        lines = damaged(chance.choice(WHOLE), chance)
        made = made_of(lines)
        if isinstance(made, Fault):
            assert made.place, lines
            continue
        settle(made, "x")
        assert faults_of([*({**draft.fallback, **draft.resource} for draft in made.drafts), *made.patients]) == [], lines
