"""Finding a drug by what a doctor types, and the line that is usually written for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from kangyun.base import text
from kangyun.support.drugs.decisions.case import limits
from kangyun.support.drugs.decisions.circulation import packages
from kangyun.support.drugs.decisions.lines import times_a_day, units_at_once
from kangyun.support.drugs.model import Drug, Line

_HERB_GRAMS = 10.0
_HERBAL = "herb"
# A rank beyond all: not alike at all.
_NOT = 9
_LONG = 3


@dataclass(frozen=True, slots=True)
class _Sounds:
    """How the names of a drug sound: whole and by initials."""

    initials: tuple[str, ...]
    whole: tuple[str, ...]


@lru_cache(maxsize=8192)
def _sounds(zh: str, en: str, trade: tuple[str, ...]) -> _Sounds:
    names = [text.syllables(name) for name in (zh, *trade)]
    return _Sounds(tuple(text.initials(parts) for parts in names if parts), (*("".join(parts) for parts in names), en.lower(), *(one.lower() for one in trade)))


def found(drugs: Iterable[Drug], typed: str, kind: str, most: int = 12) -> list[Drug]:
    """Drugs whose name begins with, or holds, what was typed: characters, pinyin, pinyin initials, or English; the best first.

    kind: western (patent medicines among them) or herbal.
    """
    said = text.fold(typed).replace(" ", "")
    if not said:
        return []
    ranked = [(rank, len(one.zh), one.code, one) for one in drugs if (one.kind == _HERBAL) == (kind == "herbal") and (rank := _rank(one, said)) < _NOT]
    return [one for *_, one in sorted(ranked, key=lambda entry: entry[:3])[:most]]


def _rank(drug: Drug, said: str) -> int:
    """0: begins with it, by character or initials; more: less alike; _NOT: not at all."""
    if text.has_chinese(said):
        names = (drug.zh, *drug.trade)
        return 0 if any(name.startswith(said) for name in names) else 2 if any(said in name for name in names) else _NOT
    sounds = _sounds(drug.zh, drug.en, drug.trade)
    if any(one.startswith(said) for one in sounds.initials):
        return 0
    if any(one.startswith(said) for one in sounds.whole):
        return 1
    # 苯磺酸氨氯地平 is looked for as 氨氯地平: the acid in front is not what one thinks of.
    if len(said) > 1 and any(said in one for one in sounds.initials):
        return 3
    return 4 if len(said) >= _LONG and any(said in one for one in sounds.whole) else _NOT


def usual_line(drug: Drug, days: float = 0, doses: int = 0) -> Line:
    """The line that is usually written: dose, route and frequency of the catalogue, whole packages for the days.

    days: 0 for as many as an ordinary prescription may be for (rules/limits.yaml). doses: how many 剂, for a herb.
    """
    days = days or float(limits()["days"]["outpatient"])
    if drug.kind == _HERBAL:
        low, high = drug.usual
        grams = (low + high) / 2 or _HERB_GRAMS
        whole = float(round(grams)) if grams >= 1 else grams
        return with_quantity(Line(drug.code, whole, "g", "bid", "po", days, name=drug.zh, decoction=drug.decoction), drug, doses)
    dose = drug.dose
    return with_quantity(Line(drug.code, dose.usual, dose.unit, dose.frequency, dose.route, days, name=drug.zh), drug, doses)


def with_quantity(line: Line, drug: Drug, doses: int = 0) -> Line:
    """The line with the quantity that its dose, frequency and days come to."""
    if drug.kind == _HERBAL:
        return replace(line, quantity=line.dose * max(doses, 1), quantity_unit=drug.unit)
    units = units_at_once(line, drug)
    counted = line if units is None else replace(line, dose=units, dose_unit=drug.unit)
    return replace(line, quantity=float(packages(counted, drug, times_a_day(line.frequency) or 1)), quantity_unit=drug.package)


def repeated(lines: Iterable[Line], drugs: Mapping[str, Drug]) -> list[Line]:
    """The lines of an earlier prescription as new ones: what is not in the catalogue any more is left out, reasons are given anew."""
    return [replace(line, confirmed="", skin_test="") for line in lines if line.code in drugs]
