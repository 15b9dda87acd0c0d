"""Words for people: what each part of a settlement is, and what a finding means for the doctor and for the resident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kangyun.base import rules
from kangyun.base.money import Fen
from kangyun.support.insurance.decisions.policies import PACKAGE, Policy
from kangyun.support.insurance.model import PARTS, Bill, Finding, Insured, Line, SoFar

_WIDTH = 1000.0
_LEAST = 6.0


@dataclass(frozen=True, slots=True)
class Piece:
    """One payer's part of a bill in a stacked bar that is a thousand wide."""

    part: str
    fen: Fen
    x: float
    width: float


def pieces(figures: Mapping[str, Fen]) -> list[Piece]:
    """The parts of a bill that are not zero, side by side; each is wide enough to be seen."""
    told = [(part, figures[part]) for part in PARTS if figures.get(part)]
    total = sum(fen for _, fen in told)
    free = _WIDTH - _LEAST * len(told)
    found: list[Piece] = []
    x = 0.0
    for part, fen in told:
        width = round(_LEAST + free * fen / total, 1)
        found.append(Piece(part, fen, round(x, 1), width))
        x += width
    return found


@dataclass(frozen=True, slots=True)
class Gauge:
    """How much of a yearly limit is used; share between 0 and 100."""

    name: str
    used: Fen
    limit: Fen
    share: float


def gauges(insured: Insured, so_far: SoFar, policy: Policy, visit: Bill) -> list[Gauge]:
    """The yearly limits that concern somebody: deductible and cap of a visit's scene, the year's cap, serious illness."""
    terms = policy.terms(visit, insured, so_far.admissions)
    used = so_far[terms.place : terms.place + 3]
    told: list[tuple[str, Fen, Fen | None]] = [
        ("deductible", used[0], terms.pool.deductible if terms.pool.yearly_deductible else None), ("cap", used[2], terms.pool.cap),
        ("year", so_far.fund, terms.year_cap), ("serious", so_far.in_range, terms.serious[0][0] if terms.serious else None)]
    return [Gauge(name, value, limit, min(100.0, round(100 * value / limit, 1))) for name, value, limit in told if limit]


def names_of(lines: Sequence[Line], numbers: Iterable[int], language: str) -> str:
    """What lines are called, as a list in a sentence."""
    told = [lines[number - 1].name or lines[number - 1].code for number in numbers if 0 < number <= len(lines)]
    return ("、" if language == "zh" else ", ").join(dict.fromkeys(told))


def finding_text(finding: Finding, language: str, reader: str = "resident", lines: Sequence[Line] = ()) -> str:
    """What a finding means, for a doctor or for a resident."""
    words = rules.load(PACKAGE, f"audit/{finding.rule}.yaml").body["explain"][reader][language]
    return str(words).format_map(_Known({**finding.facts, "items": names_of(lines, finding.lines, language)}))


def finding_texts(found: Iterable[Finding], language: str, reader: str = "resident", lines: Sequence[Line] = ()) -> list[str]:
    """What findings mean, one after another."""
    return [finding_text(one, language, reader, lines) for one in found]


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "…"
