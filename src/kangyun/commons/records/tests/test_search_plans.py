"""What is asked of somebody's own things is planned once for all values; the plan must be right whatever the statistics say."""

from __future__ import annotations

import pytest

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.commons.records.queries import search
from kangyun.commons.records.queries.search.sorting import page
from kangyun.commons.records.queries.search.sql import Statement

NARROW = (
    "Observation?subject=Patient/one&code=http://loinc.org|4548-4&_sort=-date",
    "MedicationRequest?patient=Patient/one,Patient/two&status=active,completed&_count=200",
    "PractitionerRole?practitioner=Practitioner/one&organization=Organization/one&service:missing=false",
)
BROAD = (
    "Observation?code=http://loinc.org|4548-4&_sort=-date",
    "Observation?subject=Patient/one&date=ge2026-01-01",
    "Observation?subject=Patient/one&_sort=-_lastUpdated",
    "Observation?subject=Patient/one&_include=Observation:encounter",
    "Encounter?participant=Practitioner/one",
    "Patient?family=王",
    "Coverage?_id=a,b&beneficiary=Patient/one",
)


def _query(address: str) -> search.Query:
    type_, _, asked = address.partition("?")
    return search.parse(type_, [(name, value) for name, _, value in (part.partition("=") for part in asked.split("&"))], strict=True, now=clock.now())


@pytest.mark.parametrize("address", NARROW)
async def test_one_plan_serves_all_values_and_uses_an_index_even_of_an_empty_table(database: Database, address: str) -> None:
    query = _query(address)
    assert search.is_narrow(query)
    statement = Statement(query.restriction)
    text = page(query, statement, None, query.count + 1)
    async with database.connection("force_generic_plan") as connection:
        await connection.execute(f"PREPARE narrow AS {text}")
        try:
            nothing = ", ".join("NULL" for _ in statement.values)
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE narrow ({nothing})"))
        finally:
            await connection.execute("DEALLOCATE narrow")
    assert "$1" in plan, "no value went into it"
    assert "on resource_tokens" in plan, plan
    assert "Seq Scan on resource" not in plan, plan
    assert "on resource_order" not in plan, "that is the whole type"


@pytest.mark.parametrize("address", BROAD)
def test_what_depends_on_its_values_is_planned_with_them(address: str) -> None:
    assert not search.is_narrow(_query(address))
