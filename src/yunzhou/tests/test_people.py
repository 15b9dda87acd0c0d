"""Residents: their numbers, names and households."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest

from yunzhou import households, names, people, places
from yunzhou.tests.standard import homes


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_it_knows_the_check_digits_of_the_standard(number: str) -> None:
    assert people.check_digit(number[:17]) == number[17]


def test_every_id_number_is_synthetic_and_right() -> None:
    for home in homes():
        for person in home.people:
            number = person.id_number
            assert people.is_valid(number)
            assert number.startswith("99")
            assert number[6:14] == f"{person.birth:%Y%m%d}"
            assert int(number[16]) % 2 == (person.sex == "male")


def test_nobody_shares_an_id_number() -> None:
    numbers = [person.id_number for home in homes() for person in home.people]
    assert len(set(numbers)) == len(numbers)


def test_a_wrong_check_digit_is_wrong() -> None:
    assert not people.is_valid(people.wrong_check("11010519491231002X"))


def test_a_household_is_the_same_without_its_neighbours() -> None:
    home, region = homes()[122], places.region(1000)
    number = home.number % households.BLOCK
    assert households.draw(7, region, home.home, number) == home
    assert households.draw(8, region, home.home, number) != home


def test_children_have_their_fathers_name_and_a_mother_of_the_right_age() -> None:
    children = [(home, person) for home in homes() for person in home.people if person.mother]
    assert len(children) > 100
    for home, child in children:
        mother = home.member(child.mother)
        assert mother.sex == "female"
        assert 18 <= (child.birth - mother.birth).days / 365.25 < 46
        assert child.name.family in {home.people[0].name.family, ""}


def test_partners_belong_to_each_other() -> None:
    for home in homes():
        for person in home.people:
            if person.partner:
                assert home.member(person.partner).partner == person.member


def test_phones_are_of_nobody_and_children_have_their_mothers() -> None:
    day = date(2026, 1, 1)
    for home in homes():
        for person in home.born(day):
            phone = home.phone(person, day)
            assert len(phone) == 11
            assert phone.startswith("129")
            if person.mother and person.role == "child" and person.age(day) < 16:
                assert phone == home.phone(home.member(person.mother), day)


def test_addresses_lie_in_the_made_up_city() -> None:
    for home in homes():
        place = home.place(date(2026, 1, 1))
        assert len(place.division) == 12
        assert place.division.startswith("99")
        assert place.text.startswith("云岭省云州市")


def test_every_character_of_a_name_has_a_reading() -> None:
    rng = Random(1)
    for year in range(1930, 2026):
        for sex in ("male", "female"):
            name = names.draw(rng, sex, year)
            assert name.given_pinyin.isalpha()
            assert name.given_pinyin.isascii()
