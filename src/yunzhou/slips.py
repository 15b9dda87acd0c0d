"""Slips of the pen at a registration desk: what stands in a record instead of what is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions, lunar, names
from yunzhou.households import Household
from yunzhou.names import Name
from yunzhou.people import Person
from yunzhou.places import Place, city

# The old number had 15 digits; it was given out until the end of 1998.
LAST_OLD = 1998
CHILD = 16


class Book(Struct, frozen=True):
    """The whole of slips.yaml."""

    desks: dict[str, dict[str, float]]
    default_phones: list[str]
    homophones: list[str]
    alike: list[str]
    traditional: dict[str, str]


@dataclass(slots=True)
class Form:
    """A registration form: what a desk writes down of a person on a day. `latin`: the name was written in pinyin only."""

    household: Household
    person: Person
    on: date
    name: Name
    sex: str
    birth: date
    id_number: str
    phone: str
    place: Place
    line: str
    address: str
    latin: bool = False


@cache
def book() -> Book:
    """Return what slips.yaml says."""
    return assumptions.read("slips.yaml", Book)


def truthful(household: Household, person: Person, on: date) -> Form:
    """Return the form without a slip."""
    place = household.place(on)
    return Form(household, person, on, person.named(on), person.sex, person.birth, person.id_number,
                household.phone(person, on), place, place.line, place.text)  # fmt: skip


def fill(rng: Random, desk: str, household: Household, person: Person, on: date) -> Form:
    """Return the form as the desk fills it in; the number of chances drawn does not depend on what happens."""
    form = truthful(household, person, on)
    made = [kind for kind, share in book().desks[desk].items() if rng.random() < share]
    for kind in made:
        SLIPS[kind](form, rng)
    return form


def _no_id(form: Form, _: Random) -> None:
    form.id_number = ""


def _old_id(form: Form, _: Random) -> None:
    if form.id_number and form.person.birth.year <= LAST_OLD and len(form.id_number) == 18:
        form.id_number = form.id_number[:6] + form.id_number[8:17]


def _id_slip(form: Form, rng: Random) -> None:
    number = form.id_number
    if not number:
        return
    spot = rng.randrange(6, len(number) - 1)
    if rng.random() < 0.5 and number[spot] != number[spot - 1]:
        form.id_number = number[: spot - 1] + number[spot] + number[spot - 1] + number[spot + 1 :]
    elif number[spot].isdigit():
        form.id_number = f"{number[:spot]}{(int(number[spot]) + rng.randint(1, 9)) % 10}{number[spot + 1 :]}"


def _mother_id(form: Form, _: Random) -> None:
    if form.person.mother and form.person.age(form.on) < CHILD:
        form.id_number = form.household.member(form.person.mother).id_number


@cache
def _others(kind: str) -> dict[str, str]:
    """Return for each character the ones it is mistaken for."""
    found: dict[str, str] = {}
    for group in getattr(book(), kind):
        for character in group:
            found[character] = found.get(character, "") + group.replace(character, "")
    return found


def _homophone(form: Form, rng: Random) -> None:
    _mistake(form, rng, "homophones")


def _alike(form: Form, rng: Random) -> None:
    _mistake(form, rng, "alike")


def _mistake(form: Form, rng: Random, kind: str) -> None:
    others, given = _others(kind), form.name.given
    spots = [spot for spot, character in enumerate(given) if others.get(character)]
    if spots:
        spot = rng.choice(spots)
        _given(form, given[:spot] + rng.choice(others[given[spot]]) + given[spot + 1 :])


def _given(form: Form, given: str) -> None:
    name, readings = form.name, names.book().readings
    pinyin = "".join(readings.get(character, "") for character in given) or name.given_pinyin
    form.name = Name(name.family, given, name.family_pinyin, pinyin if kept(given) else name.given_pinyin)


def kept(given: str) -> bool:
    """Tell whether the reading of every character is known."""
    return all(character in names.book().readings for character in given)


def _cut(form: Form, _: Random) -> None:
    if len(form.name.given) > 1:
        _given(form, form.name.given[:-1])


def _swapped(form: Form, _: Random) -> None:
    given = form.name.given
    if len(given) == 2:
        _given(form, given[::-1])


def _traditional(form: Form, _: Random) -> None:
    table, name = str.maketrans(book().traditional), form.name
    form.name = Name(name.family.translate(table), name.given.translate(table), name.family_pinyin, name.given_pinyin)


def _latin(form: Form, _: Random) -> None:
    form.latin = True


def _day_month(form: Form, _: Random) -> None:
    if form.birth.day <= 12:
        form.birth = date(form.birth.year, form.birth.day, form.birth.month)


def _lunar(form: Form, _: Random) -> None:
    form.birth = lunar.as_date(form.birth) or form.birth


def _year(form: Form, rng: Random) -> None:
    beside = form.birth.year + rng.choice([-1, 1])
    if beside <= form.on.year:
        form.birth = form.birth.replace(year=beside, day=min(form.birth.day, 28))


def _first_of_january(form: Form, _: Random) -> None:
    form.birth = date(form.birth.year, 1, 1)


def _phone_none(form: Form, _: Random) -> None:
    form.phone = ""


def _phone_family(form: Form, _: Random) -> None:
    form.phone = form.household.phone(form.household.people[0], form.on)


def _phone_default(form: Form, rng: Random) -> None:
    form.phone = rng.choice(book().default_phones)


def _phone_old(form: Form, _: Random) -> None:
    """Write the number of years ago: that before the last change, or one that was given up before the story begins."""
    number = form.household.phone(form.person, form.on - timedelta(days=2000))
    form.phone = number if number != form.phone else f"129{int(number[3:]) * 7919 % 100_000_000:08d}"


def _sex(form: Form, _: Random) -> None:
    """Write the other sex, unless there is an ID number: programs take the sex from it."""
    if not form.id_number:
        form.sex = "female" if form.sex == "male" else "male"


def _address_short(form: Form, _: Random) -> None:
    form.address = form.address.removeprefix(city().province.name).removeprefix(city().city.name)


def _address_village(form: Form, _: Random) -> None:
    place = form.place.settlement
    form.line = f"{place.town_name}{place.name}"
    form.address = f"{place.area.name}{form.line}"


def _address_other(form: Form, rng: Random) -> None:
    """Write an address of earlier: that before a move, else another one in the same county."""
    form.place = form.household.moves[0][1] if len(form.household.moves) > 1 else form.place
    form.line = f"{form.place.settlement.town_name}{rng.choice(['老街', '粮站宿舍', '供销社宿舍'])}{rng.randint(1, 60)}号"
    form.address = f"{form.place.county_name}{form.line}"


Slip = Callable[[Form, Random], None]
SLIPS: dict[str, Slip] = {
    "no_id": _no_id, "old_id": _old_id, "id_slip": _id_slip, "mother_id": _mother_id, "homophone": _homophone,
    "alike": _alike, "cut": _cut, "swapped": _swapped, "traditional": _traditional, "latin": _latin,
    "day_month": _day_month, "lunar": _lunar, "year": _year, "first_of_january": _first_of_january,
    "phone_none": _phone_none, "phone_family": _phone_family, "phone_default": _phone_default, "phone_old": _phone_old,
    "sex": _sex, "address_short": _address_short, "address_village": _address_village, "address_other": _address_other,
}  # fmt: skip
