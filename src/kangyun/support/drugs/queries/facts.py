"""What the record says of a patient that a review reads: age, weight, kidney and liver, allergies, problems, what else is taken."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

from kangyun.commons import population
from kangyun.commons.access import Handle
from kangyun.support.drugs.decisions.facts import Found, facts, observed
from kangyun.support.drugs.decisions.review import review
from kangyun.support.drugs.model import Finding, Patient, Prescription
from kangyun.support.drugs.model.circulation import Held
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.prescribers import prescriber

Json = dict[str, Any]


async def reviewed(own: Handle, found: Held, said: Prescription) -> list[Finding]:
    """What the rules find in a prescription: for whom it is, by whom, what else is taken. `own` is the platform's handle."""
    known, patient, who = await asyncio.gather(
        catalogue(own), facts_of(own, found.patient, said.on, found.encounter), prescriber(own, found.practitioner, found.institution, said.on))
    return review(said, patient, who, known)


async def facts_of(own: Handle, patient: str, on: date, encounter: str = "") -> Patient:
    """The facts of a patient on a day, from all Patients of the person; in an encounter, who is there with a child."""
    (named, ids), visit = await asyncio.gather(_person(own, patient), _visit(own, encounter))
    whose = ("patient", ",".join(f"Patient/{one}" for one in ids))
    wanted: list[tuple[str, list[tuple[str, str]]]] = [
        ("AllergyIntolerance", [whose, ("_count", "100")]), ("Condition", [whose, ("_count", "200")]),
        ("MedicationRequest", [whose, ("status", "active"), ("_count", "200")]),
        ("MedicationStatement", [whose, ("status", "active,intended"), ("_count", "100")]),
    ]
    wanted += [("Observation", [whose, *asked]) for asked in observed()]
    allergies, conditions, orders, statements, *measured = await asyncio.gather(*(_all(own, type_, query) for type_, query in wanted))
    return facts(Found(named, allergies, conditions, orders, statements, [one for found in measured for one in found], encounter=visit), on)


async def _person(own: Handle, patient: str) -> tuple[Json, list[str]]:
    named, ids = await asyncio.gather(own.read("Patient", patient), population.identities(own, patient))
    return named or {}, ids


async def _all(own: Handle, type_: str, query: list[tuple[str, str]]) -> list[Json]:
    return (await own.search(type_, query)).resources


async def _visit(own: Handle, encounter: str) -> Json:
    return (await own.read("Encounter", encounter) if encounter else None) or {}
