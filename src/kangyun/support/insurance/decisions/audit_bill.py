"""What can be found in one bill alone. Each function takes a case and the parameters of its rule and gives hits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from kangyun.support.insurance.decisions.cases import Case
from kangyun.support.insurance.decisions.policies import fen_of
from kangyun.support.insurance.model import Bill, Line


@dataclass(frozen=True, slots=True)
class Hit:
    """Lines concerned (numbers from 1; none: the visit as a whole), and numbers and codes for the explanation."""

    lines: tuple[int, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


Selector = Mapping[str, Sequence[str]]
"""{atc: [prefixes], code: [prefixes], category: [names]}: a line is meant when any of them fits."""


def meant(line: Line, selector: Selector) -> bool:
    """Whether a selector means a line."""
    return (
        (bool(line.atc) and line.atc.startswith(tuple(selector.get("atc", ())))) or line.code.startswith(tuple(selector.get("code", ())))
        or line.category in selector.get("category", ()))


def picked(bill: Bill, selector: Selector) -> list[int]:
    """The numbers of the lines that a selector means."""
    return [number for number, line in enumerate(bill.lines, 1) if meant(line, selector)]


def diagnosed(bill: Bill, prefixes: Sequence[str]) -> bool:
    """Whether any diagnosis of the bill begins with one of the prefixes."""
    return any(one.startswith(tuple(prefixes)) for one in bill.diagnoses)


def limited(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Lines that are limited to diagnoses, a sex, an age, a level of hospital, a scene or a kind of insurance, and are outside of it."""
    for entry in given["entries"]:
        lines = picked(case.bill, entry["items"])
        if lines and not _allowed(case, entry):
            yield Hit(tuple(lines), _facts(case, entry))


def _allowed(case: Case, entry: Mapping[str, Any]) -> bool:
    bill, age = case.bill, case.age
    return not (
        ("diagnoses" in entry and not diagnosed(bill, entry["diagnoses"]))
        or ("sex" in entry and case.sex in {"male", "female"} and case.sex != entry["sex"])
        or ("from_age" in entry and age is not None and age < entry["from_age"])
        or ("below_age" in entry and age is not None and age >= entry["below_age"])
        or ("from_level" in entry and bill.level < entry["from_level"])
        or ("scenes" in entry and bill.scene not in entry["scenes"])
        or ("insurances" in entry and case.kind not in entry["insurances"]))


def _facts(case: Case, entry: Mapping[str, Any]) -> dict[str, str]:
    told = {"level": str(case.bill.level), "from_level": str(entry.get("from_level", "")), "from_age": str(entry.get("from_age", "")),
            "below_age": str(entry.get("below_age", ""))}
    return {name: value for name, value in told.items() if value}


def conflicting_diagnosis(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Diagnoses that a person of this sex or age cannot have, so that the card may be somebody else's."""
    for entry in given["entries"]:
        if diagnosed(case.bill, entry["diagnoses"]) and not _allowed(case, {name: value for name, value in entry.items() if name != "diagnoses"}):
            yield Hit(facts={"diagnosis": next(one for one in case.bill.diagnoses if one.startswith(tuple(entry["diagnoses"])))})


def contraindicated(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Lines that a diagnosis of the same visit forbids."""
    for entry in given["entries"]:
        lines = picked(case.bill, entry["items"])
        if lines and diagnosed(case.bill, entry["diagnoses"]):
            yield Hit(tuple(lines), {"diagnosis": next(one for one in case.bill.diagnoses if one.startswith(tuple(entry["diagnoses"])))})


def too_often(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Items charged more often in a day than they can be done."""
    for entry in given["entries"]:
        by_day: dict[str, list[int]] = defaultdict(list)
        for number in picked(case.bill, entry["items"]):
            by_day[_day_of(case.bill, number)].append(number)
        for lines in by_day.values():
            times = sum(case.bill.lines[number - 1].quantity for number in lines)
            if times > entry["most"]:
                yield Hit(tuple(lines), {"times": f"{float(times):g}", "most": str(entry["most"])})


def _day_of(bill: Bill, number: int) -> str:
    return bill.lines[number - 1].day or bill.on.isoformat()


def too_dear(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Items charged above the price that the authority has set, by level of hospital."""
    for entry in given["entries"]:
        price = entry["price"]
        most = fen_of(price.get(case.bill.level) if isinstance(price, Mapping) else price)
        lines = [one for one in picked(case.bill, entry["items"]) if most is not None and case.bill.lines[one - 1].unit_price > most]
        if lines and most is not None:
            yield Hit(tuple(lines), {"most": f"{most / 100:.2f}"})


def charged_twice(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """The same item on several lines of the same day."""
    same: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number in picked(case.bill, given["items"]):
        same[case.bill.lines[number - 1].code, _day_of(case.bill, number)].append(number)
    yield from (Hit(tuple(lines), {"times": str(len(lines))}) for lines in same.values() if len(lines) > 1)


def split_up(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Parts charged beside the item that contains them, on the same day."""
    for entry in given["entries"]:
        days = {_day_of(case.bill, number) for number in picked(case.bill, entry["whole"])}
        lines = [number for number in picked(case.bill, entry["parts"]) if _day_of(case.bill, number) in days]
        if lines:
            yield Hit(tuple(lines))


def together(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Two things that exclude each other: items of one day, or drugs that must not be given together."""
    for entry in given["pairs"]:
        one, other = picked(case.bill, entry["one"]), picked(case.bill, entry["other"])
        pairs = [(a, b) for a in one for b in other if a != b and (not given.get("same_day") or _day_of(case.bill, a) == _day_of(case.bill, b))]
        if pairs:
            yield Hit(tuple(sorted({number for pair in pairs for number in pair})))


def unordered(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Lines without an order behind them."""
    lines = [number for number in picked(case.bill, given["items"]) if not case.bill.lines[number - 1].ordered]
    if lines:
        yield Hit(tuple(lines))


def too_many_days(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Drugs for more days than a prescription may have; longer for diseases of the long-term prescription."""
    most = int(given["long"] if diagnosed(case.bill, given["long_diagnoses"]) else given["days"])
    lines = [number for number in picked(case.bill, given["items"]) if case.bill.lines[number - 1].days > most]
    if lines:
        yield Hit(tuple(lines), {"days": str(max(case.bill.lines[number - 1].days for number in lines)), "most": str(most)})


def too_much(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Daily doses above the label's maximum."""
    for entry in given["entries"]:
        for number in picked(case.bill, entry["items"]):
            line = case.bill.lines[number - 1]
            if line.unit == entry["unit"] and line.dose > entry["most"]:
                yield Hit((number,), {"dose": f"{line.dose:g}", "most": f"{entry['most']:g}", "unit": line.unit})


def same_class(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Several drugs of one chemical class (the first signs of their ATC codes) in one bill."""
    signs, spared = int(given["signs"]), tuple(given["spared"])
    classes: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(case.bill.lines, 1):
        if len(line.atc) >= signs and not line.atc.startswith(spared):
            classes[line.atc[:signs]].append(number)
    for atc, lines in classes.items():
        if len({case.bill.lines[number - 1].code for number in lines}) > 1:
            yield Hit(tuple(lines), {"class": atc})


def minor_stay(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """A stay for something that is treated without one: all diagnoses minor, short, cheap, without what needs a bed."""
    bill = case.bill
    stay = _stay(bill)
    minor = bool(bill.diagnoses) and all(one.startswith(tuple(given["diagnoses"])) for one in bill.diagnoses)
    cheap = bill.total < (fen_of(given["below"]) or 0)
    if stay is not None and minor and stay <= given["days"] and cheap and not picked(bill, given["needs_bed"]):
        yield Hit(facts={"days": str(stay)})


def empty_bed(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """A stay on most of whose days nothing was done: the bed was hung up."""
    bill, stay = case.bill, _stay(case.bill)
    if stay is None or stay < given["from_days"]:
        return
    done = {line.day for number, line in enumerate(bill.lines, 1) if line.day and number not in set(picked(bill, given["not_treatment"]))}
    start = date.fromisoformat(bill.started)
    idle = sum((start + timedelta(days=number)).isoformat() not in done for number in range(stay))
    if idle > stay * given["share"]:
        yield Hit(facts={"days": str(stay), "idle": str(idle)})


def _stay(bill: Bill) -> int | None:
    """Days of a stay, at least one."""
    if bill.scene != "inpatient" or not bill.started or not bill.ended:
        return None
    return max(1, (date.fromisoformat(bill.ended) - date.fromisoformat(bill.started)).days)


def after_death(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """A visit of somebody who had died."""
    del given
    if case.died is not None and case.bill.on > case.died:
        yield Hit()


def incomplete(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """A settlement list that lacks what it must say: a diagnosis, and for a stay its first day."""
    lacks = [name for name in given["needs"] if not getattr(case.bill, name)]
    if case.bill.scene == "inpatient":
        lacks += [name for name in given["needs_of_stays"] if not getattr(case.bill, name)]
    if lacks:
        yield Hit(facts={"lacks": " ".join(lacks)})
