"""Whose a row without any number is: a name, and what else in it agrees with one resident of the clinic and with no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.tables.people import addresses
from kangyun.commons.population import parts_of_address, telephone

_EXTENSION = "urn:kangyun:extension:household-head"


@dataclass(slots=True)
class Likeness:
    """One resident of the row's name: the column that contradicts (empty where none does), and what agrees and differs.

    What is only `other` speaks against nobody: people have several telephones.
    """

    patient: dict[str, Any]
    against: str = ""
    agrees: set[str] = field(default_factory=set[str])
    differs: set[str] = field(default_factory=set[str])
    other: set[str] = field(default_factory=set[str])

    @property
    def fits(self) -> bool:
        """Whether this can be taken for the one whom the row means."""
        return not self.against and bool(self.agrees) and (not self.differs or bool(self.agrees & terms().settles))

    def is_rival(self, chosen: Likeness) -> bool:
        """Whether the row could as well mean this one, or agrees with this one in what it does not with the chosen."""
        if self.against:
            return not self.agrees <= chosen.agrees
        return not (self.differs | self.other) & chosen.agrees


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one whom the row means, or the key of the reason why it is held and the column that contradicts."""

    chosen: Likeness | None
    key: str = ""
    column: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What rules/tables/recognising.yaml says."""

    agrees: frozenset[str]
    registered: frozenset[str]
    settles: frozenset[str]
    near: int
    namesakes: int


@lru_cache(maxsize=1)
def terms() -> Terms:
    """What counts, and how much of it."""
    rule = rules.load("kangyun.commons.exchange", "tables/recognising.yaml")
    agrees, registered, settles = (frozenset(map(str, rule.body[name])) for name in ("agrees", "registered", "settles"))
    return Terms(agrees, registered, settles, **rule.value)


def likenesses(told: Mapping[str, Any], residents: Sequence[dict[str, Any]]) -> list[Likeness]:
    """How each resident of the row's name is like the row; `told` are the values of its columns."""
    found: list[Likeness] = []
    for patient in residents:
        one = Likeness(patient)
        for column, word in _compared(told, patient):
            if word == "contradicts":
                one.against = one.against or column
            elif word == "differs":
                one.differs.add(column)
            elif word == "other":
                one.other.add(column)
            elif word == "agrees" and column in terms().agrees:
                one.agrees.add(column)
        found.append(one)
    return found


def decide(found: Sequence[Likeness]) -> Verdict:
    """Exactly one must fit, with no rival; in doubt nobody is meant."""
    fits = [one for one in found if one.fits]
    if len(fits) == 1 and not any(one.is_rival(fits[0]) for one in found if one is not fits[0]):
        return Verdict(fits[0])
    possible = [one for one in found if not one.against]
    if fits or len(possible) > 1:
        return Verdict(None, "exchange.namesakes")
    if possible:
        return Verdict(None, "exchange.name-alone")
    return Verdict(None, "exchange.namesake-contradicts", found[0].against) if found else Verdict(None, "exchange.not-registered")


def _compared(told: Mapping[str, Any], patient: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "sex", _sex(told, patient)
    yield "birth", _birth(told, patient)
    yield "date", _life(told, patient)
    yield "age", _age(told, patient)
    yield "phone", _phone(told, patient)
    yield "address", _address(told, patient)
    yield "household_head", _head(told, patient)


def _sex(told: Mapping[str, Any], patient: Mapping[str, Any]) -> str:
    pair = {told.get("sex"), patient.get("gender")}
    return "contradicts" if pair == {"male", "female"} else ""


def _birth(told: Mapping[str, Any], patient: Mapping[str, Any]) -> str:
    mine, theirs = str(told.get("birth", "")), str(patient.get("birthDate", ""))
    if not mine or not theirs:
        return ""
    return "agrees" if mine.startswith(theirs) or theirs.startswith(mine) else "contradicts"


def _age(told: Mapping[str, Any], patient: Mapping[str, Any]) -> str:
    low, high = _ages(str(patient.get("birthDate", "")), _day(told))
    if "age" not in told or high is None or low is None:
        return ""
    age, near = int(told["age"]), terms().near
    if low <= age <= high:
        return "agrees"
    return "" if low - near <= age <= high + near else "contradicts"


def _life(told: Mapping[str, Any], patient: Mapping[str, Any]) -> str:
    """Nobody comes to a clinic before birth or after death."""
    day, high = _day(told), _ages(str(patient.get("birthDate", "")), _day(told))[1]
    died = str(patient.get("deceasedDateTime", ""))[:10]
    return "contradicts" if (high is not None and high < 0) or (died and day and day > died) else ""


def _day(told: Mapping[str, Any]) -> str:
    return str(told.get("date", ""))[:10]


def _ages(birth: str, day: str) -> tuple[int | None, int | None]:
    """How old somebody may have been at least and at most; FHIR dates may be a month or a year."""
    born, then = _span(birth), _span(day)
    if born is None or then is None:
        return None, None
    return _years(born[1], then[0]), _years(born[0], then[1])


def _span(text: str) -> tuple[date, date] | None:
    if len(text) < len("2026"):
        return None
    year, month, day = (int(part) if part else 0 for part in (text[:4], text[5:7], text[8:10]))
    # The 28th for the end of a month: an age is counted in years, and who is near the edge is in doubt anyway.
    return date(year, month or 1, day or 1), date(year, month or 12, day or 28)


def _years(born: date, then: date) -> int:
    return then.year - born.year - ((then.month, then.day) < (born.month, born.day))


def _phone(told: Mapping[str, Any], patient: Mapping[str, Any]) -> str:
    mine = {telephone(number) for number in told.get("phone", ())} - {""}
    theirs = {telephone(str(one.get("value", ""))) for one in patient.get("telecom", ())} - {""}
    return "agrees" if mine & theirs else "other" if mine and theirs else ""


def _address(told: Mapping[str, Any], patient: Mapping[str, Any]) -> str:
    """The house tells people apart, the village alone does not: it is everybody's."""
    mine = next(iter(addresses(told)), None)
    words = {_same_place(mine, one) for one in patient.get("address", ()) if one.get("use") != "old"} if mine else set[str]()
    return next((word for word in ("agrees", "", "differs") if word in words), "")


def _same_place(one: dict[str, Any], other: dict[str, Any]) -> str:
    mine, theirs = parts_of_address(one), parts_of_address(other)
    if not _may_be_same(mine.village, theirs.village):
        return "differs"
    if not mine.door or not theirs.door:
        return ""
    (_, street, numbers), (_, other_street, other_numbers) = mine.door.rsplit("/", 2), theirs.door.rsplit("/", 2)
    if (street, numbers) == (other_street, other_numbers):
        return "agrees"
    # Who leaves out the group of the village (8组) still says the house.
    short, long = sorted((numbers, other_numbers), key=len)
    return "" if long.endswith(f"-{short}") else "differs"


def _may_be_same(one: str, other: str) -> bool:
    """Two villages as town/village, of which either part may be left out."""
    return all(not mine or not theirs or mine == theirs for mine, theirs in zip(one.split("/"), other.split("/"), strict=False))


def _head(told: Mapping[str, Any], patient: Mapping[str, Any]) -> str:
    theirs = next((one.get("valueString") for one in patient.get("extension", ()) if one.get("url") == _EXTENSION), None)
    if not theirs or "household_head" not in told:
        return ""
    return "agrees" if theirs == told["household_head"] else "differs"


def check_example(_rule: Rule, given: Mapping[str, Any]) -> int | str:
    """The place of the resident whom a row means, or why it is held."""
    residents = [_plain(one) for one in given["residents"]]
    verdict = decide(likenesses(_plain(given["row"]), residents))
    if verdict.chosen:
        return residents.index(verdict.chosen.patient)
    return f"{verdict.key} {verdict.column}".rstrip()


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """YAML reads dates; FHIR writes them."""
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in given.items()}
