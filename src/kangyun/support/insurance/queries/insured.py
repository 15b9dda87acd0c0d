"""Who is insured and how, and what the record holds of earlier bills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from kangyun.base import rules
from kangyun.base.database import Connection
from kangyun.commons.access import Handle, key_of
from kangyun.commons.population import identities
from kangyun.support.insurance.decisions.claims import insured_of
from kangyun.support.insurance.decisions.policies import PACKAGE
from kangyun.support.insurance.model import Insured, SoFar
from kangyun.support.insurance.queries.settlements import sql

_KIND = "urn:kangyun:institution-kind"
_DAYS = 366


# All Patients of a person, and how the person is insured.
Whose = tuple[Sequence[str], Insured | None]


async def whose(handle: Handle, patient: str) -> Whose:
    """All Patients of the person of a Patient, and how the person is insured, as the record says; None when it says nothing."""
    patients = await identities(handle, patient)
    return patients, await insured_among(handle, patients)


async def insured_of_patient(handle: Handle, patient: str) -> Insured | None:
    """How the person of a Patient is insured, as the record says; None when it says nothing."""
    return (await whose(handle, patient))[1]


async def insured_among(handle: Handle, patients: Sequence[str]) -> Insured | None:
    """The same for all Patients of a person."""
    asked = ",".join(f"Patient/{one}" for one in patients)
    page = await handle.search("Coverage", [("beneficiary", asked), ("_count", "20")])
    found = [insured_of(one) for one in page.resources if one.get("subscriberId") and one.get("payor")]
    if not found:
        return None
    best = min(found, key=lambda one: (not one.valid, one.coverage))
    return replace(best, resident=key_of("Patient", best.patient))


async def used(connection: Connection, insured: Insured, year: int) -> SoFar:
    """What was used in a year so far."""
    row = await connection.fetchrow(sql.so_far, insured.resident, insured.member, year)
    if row is not None:
        return SoFar(*row)
    return SoFar(account=await connection.fetchval(sql.account_before, insured.resident, insured.member, year) or 0)


def level_of(organization: Mapping[str, Any] | None) -> int:
    """The level of a hospital, 1 to 3, by its kind in rules/levels.yaml."""
    codings = [one for type_ in (organization or {}).get("type", ()) for one in type_.get("coding", ())]
    said = next((str(one["code"]) for one in codings if one.get("system") == "urn:kangyun:hospital-level"), "")
    if said in {"1", "2", "3"}:
        return int(said)
    kind = next((str(one["code"]) for one in codings if one.get("system") == _KIND), "")
    return int(rules.load(PACKAGE, "levels.yaml").map.get(kind, 1))


async def history(handle: Handle, patients: Sequence[str], on: date, without: str = "") -> list[dict[str, Any]]:
    """The Claims of a person (all Patients) since a year before a day but for one, newest first, at most 200; cancelled ones are none."""
    ids = ",".join(f"Patient/{one}" for one in patients)
    since = (on - timedelta(days=_DAYS)).isoformat()
    page = await handle.search("Claim", [("patient", ids), ("created", f"ge{since}"), ("status", "active"), ("_sort", "-created"), ("_count", "200")])
    return [one for one in page.resources if one.get("use") == "claim" and one["id"] != without]
