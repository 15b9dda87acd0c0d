"""Registrations only: source Patients with the slips of many desks, and aside who they really are. For matching benches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

import msgspec

from yunzhou import chance, households, institutions, slips
from yunzhou.households import Household
from yunzhou.people import Person
from yunzhou.places import Region, Settlement
from yunzhou.slips import Form
from yunzhou.truth import NATIONAL, urn

DESK = "registration"
# How many further registrations somebody with more than one has: 1, 2 or 3.
MORE = (0.82, 0.95, 1.0)
MEAN_MORE = 1.23


@dataclass(frozen=True, slots=True)
class Lines:
    """Registrations and truth of one settlement, as NDJSON."""

    records: bytes
    truth: bytes
    people: int
    number: int


def of_settlement(seed: int, region: Region, settlement: Settlement, duplicated: float) -> Lines:
    """Return the registrations of the people of a settlement; `duplicated` is the wanted share of records beyond the first."""
    records, truth = bytearray(), bytearray()
    people = number = 0
    for household in households.of_settlement(seed, region, settlement):
        for person in household.born(FIRST):
            people += 1
            for house, local, form in _of_person(seed, household, person, duplicated):
                number += 1
                records += ENCODER.encode(patient(form, house, local)) + b"\n"
                truth += ENCODER.encode({"system": urn(f"{institutions.ROOT}.{house}"), "value": local, "person": person.key}) + b"\n"
    return Lines(bytes(records), bytes(truth), people, number)


FIRST = date(households.model().as_of, 1, 1)
ENCODER = msgspec.json.Encoder()


def _of_person(seed: int, household: Household, person: Person, duplicated: float) -> Iterator[tuple[int, str, Form]]:
    """Yield institution, local number and form of each registration of a person, years apart."""
    rng = chance.stream(seed, "registrations", person.key)
    count = 1 + _further(rng, duplicated)
    houses = _houses(household)
    for turn in range(count):
        house = houses[turn % len(houses)] if turn else houses[int(rng.random() * len(houses))]
        on = FIRST + timedelta(days=int(rng.random() * 1800))
        yield house, f"{person.key}{turn}", slips.fill(rng, DESK, household, person, on)


def _further(rng: Random, duplicated: float) -> int:
    wanted = duplicated / (1 - duplicated) / MEAN_MORE
    if rng.random() >= wanted:
        return 0
    lot = rng.random()
    return 1 + next(index for index, limit in enumerate(MORE) if lot < limit)


def _houses(household: Household) -> list[int]:
    place = household.home
    if place.kind == "village":
        return [institutions.clinic_key(place), institutions.town_key(place.town), institutions.county_key(place.county), 1]
    return [1, 2, institutions.county_key(max(0, place.county))]


def patient(form: Form, house: int, local: str) -> dict[str, object]:
    """Return the form as a FHIR Patient of the institution."""
    national = [{"system": NATIONAL, "value": form.id_number}] if form.id_number else []
    telecom = {"telecom": [{"system": "phone", "value": form.phone}]} if form.phone else {}
    return {
        "resourceType": "Patient", "meta": {"source": f"urn:yunzhou:{house}"},
        "identifier": [*national, {"system": urn(f"{institutions.ROOT}.{house}"), "value": local}],
        "name": [_name(form)], **telecom,
        "gender": form.sex, "birthDate": form.birth.isoformat(), "address": [{"text": form.address}],
    }  # fmt: skip


def _name(form: Form) -> dict[str, object]:
    name = form.name
    if form.latin:
        return {"text": f"{name.given_pinyin} {name.family_pinyin}".strip().title()}
    family = {"family": name.family} if name.family else {}
    return {"text": name.text, **family, "given": [name.given]}
