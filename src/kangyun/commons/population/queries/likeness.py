"""Reads: who is like a Patient that is not in the record, and which other numbers a person has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kangyun.commons.access import Handle, escaped
from kangyun.commons.population.decisions.matching import Evidence
from kangyun.commons.population.decisions.placing import Grade, Likeness, liken
from kangyun.commons.population.decisions.traits import traits
from kangyun.commons.population.queries.persons import patients_of, persons_of
from kangyun.commons.population.queries.placed import around


@dataclass(frozen=True, slots=True)
class Match:
    """A person who may be the asked one: the Patient that is most alike, with grade and evidence."""

    patient: dict[str, Any]
    person: str
    grade: Grade
    evidence: Evidence


async def matches(handle: Handle, patient: dict[str, Any]) -> list[Match]:
    """The persons who may be this Patient, each once, the most alike first."""
    mine = traits(patient)
    async with handle.connection() as connection:
        groups = (await around(connection, mine, [])).groups
    found: list[Likeness] = sorted(liken(mine, groups), key=lambda one: -one.evidence.bits)
    read = [(one, await handle.read("Patient", one.member.patient)) for one in found]
    return [Match(content, one.member.person, one.grade, one.evidence) for one, content in read if content]


async def holders_of(handle: Handle, system: str, value: str) -> list[dict[str, Any]]:
    """All Patients of every person of whom a Patient holds an identifier."""
    page = await handle.search("Patient", [("identifier", f"{escaped(system)}|{escaped(value)}"), ("_count", "100")])
    persons = await persons_of(handle, [str(one["id"]) for one in page.resources])
    ids = [str(one["id"]) for one in page.resources]
    ids += [one for person in persons.values() for one in patients_of(person)]
    return await _read(handle, list(dict.fromkeys(ids)))


async def is_system(handle: Handle, system: str) -> bool:
    """Whether any Patient holds an identifier of a system."""
    page = await handle.search("Patient", [("identifier", f"{escaped(system)}|"), ("_count", "1"), ("_total", "none")])
    return bool(page.resources)


async def _read(handle: Handle, ids: Sequence[str]) -> list[dict[str, Any]]:
    read = [await handle.read("Patient", one) for one in ids]
    return [one for one in read if one is not None]
