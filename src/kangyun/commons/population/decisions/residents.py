"""Judgements about identity: check digits, which identifiers tell who somebody is, and which values survive."""

from __future__ import annotations

import re
from datetime import date
from functools import cache, lru_cache
from operator import mul
from typing import Any

from kangyun.base import rules
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

_PACKAGE = "kangyun.commons.population"
_EIGHTEEN = re.compile(r"\d{17}[\dXx]")
_RECORD_NUMBERS = {"MR", "PI", "PT"}
_FIFTEEN = re.compile(r"\d{15}")


def looks_like_id_number(text: str) -> bool:
    """Whether a text has the shape of a resident ID number, 18 or 15 characters with a possible birth date."""
    return (_EIGHTEEN.fullmatch(text) is not None and _birth(text[6:14]) is not None) or (
        _FIFTEEN.fullmatch(text) is not None and _birth("19" + text[6:12]) is not None
    )


# Asked several times for each number of a message or a row: by its identifiers, its traits and what contradicts it.
@lru_cache(maxsize=4096)
def is_id_number(text: str) -> bool:
    """Whether a text is a resident ID number with a right birth date and check digit (GB 11643-1999)."""
    if not looks_like_id_number(text):
        return False
    return len(text) == 15 or text[17].upper() == id_check_digit(text)


def normal_id_number(text: str) -> str:
    """The 18-character form, X in capitals; a 15-digit number gets its century and check digit."""
    if len(text) == 15:
        whole = f"{text[:6]}19{text[6:]}"
        return whole + id_check_digit(whole)
    return text.upper()


def id_check_digit(text: str) -> str:
    """The check character of the first 17 digits, ISO 7064 MOD 11-2."""
    weights, characters = _check()
    return characters[sum(map(mul, weights, map(int, text))) % 11]


@cache
def _check() -> tuple[tuple[int, ...], str]:
    value = rules.load(_PACKAGE, "id_number.yaml").value
    return tuple(value["weights"]), str(value["characters"])


def is_credit_code(text: str) -> bool:
    """Whether a text is a unified social credit code with the right check character (GB 32100-2015)."""
    value = rules.load(_PACKAGE, "credit_code.yaml").value
    alphabet: str = value["alphabet"]
    if len(text) != 18 or any(sign not in alphabet for sign in text):
        return False
    total = sum(alphabet.index(sign) * weight for sign, weight in zip(text, value["weights"], strict=False))
    return alphabet[(31 - total % 31) % 31] == text[17]


def _birth(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def telling(patient: dict[str, Any]) -> list[tuple[str, str]]:
    """The identifiers (system, value) that tell who this is, strongest first, by rules/identity.yaml."""
    ranks = _ranks()
    found: dict[tuple[str, str], int] = {}
    for one in patient.get("identifier", []):
        system, value = one.get("system"), one.get("value")
        rank = _rank(one, ranks)
        if system and value and rank is not None and one.get("use") != "temp" and not _says_nothing(one):
            found[system, value] = min(rank, found.get((system, value), rank))
    return sorted(found, key=lambda pair: (found[pair], pair))


def local_first(patient: dict[str, Any]) -> list[tuple[str, str]]:
    """The telling identifiers, record numbers of one institution before those of the country."""
    record_numbers = {
        (one.get("system"), one.get("value"))
        for one in patient.get("identifier", [])
        if _RECORD_NUMBERS & {str(coding.get("code")) for coding in one.get("type", {}).get("coding", [])}
    }
    return sorted(telling(patient), key=lambda pair: pair not in record_numbers)


def _says_nothing(identifier: dict[str, Any]) -> bool:
    """Whether it is an ID number that people type where they have none, such as eighteen ones."""
    return identifier.get("system") == ID_NUMBER_SYSTEM and any(one.fullmatch(str(identifier["value"])) for one in _fillers())


@lru_cache(maxsize=1)
def _fillers() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(one) for one in rules.load(_PACKAGE, "matching_fillers.yaml").value["numbers"])


@lru_cache(maxsize=1)
def _ranks() -> dict[str, int]:
    table = rules.load(_PACKAGE, "identity.yaml").table
    return {str(key): int(row["rank"]) for row in table for key in (row.get("system"), row.get("type")) if key}


def _rank(identifier: dict[str, Any], ranks: dict[str, int]) -> int | None:
    by_system = ranks.get(str(identifier.get("system")))
    if by_system is not None:
        return by_system
    codes = [str(coding.get("code")) for coding in identifier.get("type", {}).get("coding", [])]
    if not codes:
        return ranks.get("none")
    return min((ranks[code] for code in codes if code in ranks), default=None)


def contradicts(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two Patients cannot be one person: other values of an identifier of which a person has one at a time."""
    single = {str(row["system"]) for row in rules.load(_PACKAGE, "identity.yaml").table if row.get("single")}
    mine, theirs = (_values(patient, single) for patient in (one, other))
    return any(not mine[system] & theirs[system] for system in mine.keys() & theirs.keys())


def _values(patient: dict[str, Any], systems: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in patient.get("identifier", []):
        if one.get("system") in systems:
            found.setdefault(one["system"], set()).add(str(one.get("value")))
    return found


def is_new_number(current: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether another ID number is the same resident's new one: everything else agrees, and it tells the same birth."""
    told = [str(one.get("value")) for one in news.get("identifier", []) if one.get("system") == ID_NUMBER_SYSTEM]
    birth = str(news.get("birthDate", ""))
    same = all(current.get(key) == news.get(key) for key in ("birthDate", "gender"))
    agrees = all(is_id_number(one) and normal_id_number(one)[6:14] == birth.replace("-", "") for one in told)
    return bool(birth) and same and agrees and bool(names_of(current) & names_of(news))


def former_number(current: dict[str, Any]) -> dict[str, Any]:
    """The Patient whose ID number is no longer in use; it stays, so that what knows the former number still fits."""
    numbers = [
        {**one, "use": "old"} if one.get("system") == ID_NUMBER_SYSTEM else one for one in current.get("identifier", [])
    ]
    return {**current, "identifier": numbers}


def is_somebody_else(current: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether a number was given to another person: no sign of the name is the same, nor the birth date."""
    names = ["".join(sorted(names_of(one))) for one in (current, news)]
    births = [str(one.get("birthDate", "")) for one in (current, news)]
    return all((*names, *births)) and births[0] != births[1] and not set(names[0]) & set(names[1])


def belongs_together(told: dict[str, Any], first: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two residents are one, when a sender `told` identifiers of both as those of one person.

    The holder of the strongest identifier must agree in name, birth date and sex; the other in birth date and sex,
    since a newborn's first record seldom has the name. A person's only number must not differ.
    """
    if contradicts(first, other) or contradicts(first, told) or contradicts(other, told):
        return False
    same = all(one.get(key) == told.get(key) for one in (first, other) for key in ("birthDate", "gender"))
    return same and bool(names_of(first) & names_of(told)) and told.get("birthDate") is not None


def names_of(patient: dict[str, Any]) -> set[str]:
    """The texts of all names of a Patient."""
    return {str(name.get("text") or "".join([name.get("family", ""), *name.get("given", [])])) for name in patient.get("name", [])}


def normal_identifiers(patient: dict[str, Any]) -> dict[str, Any]:
    """The Patient with its resident ID numbers in the form of 18 characters."""
    numbers = [
        {**one, "value": normal_id_number(one["value"])}
        if one.get("system") == ID_NUMBER_SYSTEM and looks_like_id_number(str(one.get("value")))
        else one
        for one in patient.get("identifier", [])
    ]
    return {**patient, "identifier": numbers} if numbers else patient


def survivor(current: dict[str, Any] | None, news: dict[str, Any], *, late: bool = False) -> dict[str, Any]:
    """The Patient after news of the resident, by rules/survivorship.yaml; equal to `current` when nothing is new.

    `late` news are older than what is known: they fill gaps and add identifiers, and replace nothing.
    """
    if current is None:
        return {"resourceType": "Patient", "active": True, **news}
    keep = {str(row["element"]): str(row["keep"]) for row in rules.load(_PACKAGE, "survivorship.yaml").table}
    merged = dict(current)
    for element, value in news.items():
        if element in {"resourceType", "id", "meta"} or value in (None, "", [], {}):
            continue
        if late and element != "identifier" and merged.get(element) not in (None, "", [], {}):
            continue
        merged[element] = _KEEP[keep.get(element, keep["*"])](merged.get(element), value)
    return _one_of_choices(merged)


def _newest(_old: Any, new: Any) -> Any:
    return new


def _coded(old: Any, new: Any) -> Any:
    """The same meaning in another sender's code is no news."""
    first = [(one or {}).get("coding", [{}])[0] for one in (old, new)]
    same = first[0].get("code") and all(first[0].get(key) == first[1].get(key) for key in ("system", "code"))
    return old if same else new


def _names(old: Any, new: Any) -> Any:
    """Names that are all known already are no news; a new one comes first and replaces those of its script."""
    known = {one.get("text") for one in old or []}
    if all(one.get("text") in known for one in new):
        return old
    scripts = {_script(one) for one in new}
    return [*new, *(one for one in old or [] if _script(one) not in scripts)]


def _script(name: dict[str, Any]) -> str:
    marks = [str(one.get("valueCode")) for one in name.get("extension", []) if "EN-representation" in str(one.get("url"))]
    return f"{name.get('use') in {'old', 'nickname', 'maiden'}}{marks[0] if marks else ''}"


def _both(old: Any, new: Any) -> Any:
    """Identifiers accumulate: a value that is known keeps its place, but not less than what is now said of it."""
    found = list(old or [])
    places = {_identity(one): place for place, one in enumerate(found)}
    for one in new:
        place = places.setdefault(_identity(one), len(found))
        if place == len(found):
            found.append(one)
        elif one.get("use") != "old":
            found[place] = {**found[place], **one}
    return found


def _identity(one: dict[str, Any]) -> tuple[Any, ...]:
    return one.get("system"), one.get("value"), one.get("type") if "other" in one else None, str(one.get("other"))


def _by_use(old: Any, new: Any) -> Any:
    """What is now said replaces what was said for the same use (home, work, mobile, ...); other uses stay."""
    before = list(old or [])
    if all(any(_says(known, one) for known in before) for one in new):
        return before
    replaced = {_use(one) for one in new}
    return [*new, *(one for one in before if _use(one) not in replaced)]


def _says(known: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether what is known says the same, be it with a use or without."""
    told = {key: value for key, value in news.items() if key != "use"}
    return all(known.get(key) == value for key, value in told.items()) and news.get("use", known.get("use")) == known.get("use")


def _use(one: dict[str, Any]) -> tuple[str, ...]:
    return (str(one.get("system", "")), str(one.get("use", "")))


def _by_url(old: Any, new: Any) -> Any:
    replaced = {one.get("url") for one in new}
    return [*(one for one in old or [] if one.get("url") not in replaced), *new]


_KEEP = {"newest": _newest, "accumulate": _both, "by_use": _by_use, "by_url": _by_url, "coded": _coded, "names": _names}


def _one_of_choices(patient: dict[str, Any]) -> dict[str, Any]:
    """An element of several types holds one; the exact one stays, so that no bare flag undoes a dated death."""
    for first, second in (("deceasedDateTime", "deceasedBoolean"), ("multipleBirthInteger", "multipleBirthBoolean")):
        if first in patient:
            patient.pop(second, None)
    return patient
