"""The judges of the examples in rules/tables."""

from __future__ import annotations

from typing import Any

from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.tables.cells import is_empty, words_of
from kangyun.commons.exchange.decisions.tables.grids import Grid
from kangyun.commons.exchange.decisions.tables.kinds import label, labels_of
from kangyun.commons.exchange.decisions.tables.rows import Bad
from kangyun.commons.exchange.decisions.tables.sheets import open_table
from kangyun.commons.exchange.model import Fault


def check_word(_rule: Rule, given: str) -> str:
    """Whether a cell tells anything."""
    return "empty" if is_empty(given) else "told"


def check_column(rule: Rule, given: str) -> str | None:
    """The column that a header cell names."""
    wanted = labels_of(given)
    names = ((row["column"], label(str(name))) for row in rule.table for name in row["names"])
    return next((str(column) for column, name in names if name in wanted), None)


def check_word_of(rule: Rule, given: str) -> Any:
    """The code, or the plain value, that a word of a value map means."""
    found = words_of(rule.id.rsplit(".", 1)[-1]).get(given)
    return found["code"] if isinstance(found, dict) else found


def check_sheet(rule: Rule, given: list[list[Any]]) -> list[str]:
    """What the rows under a header become, in short."""
    try:
        table = open_table(Grid("Sheet", given), sender_of("EXAMPLE"), "2026-11-01", kind=rule.id.rsplit(".", 1)[-1])
    except Fault as fault:
        return [f"{fault.place} {fault.key}"]
    found: list[str] = []
    for row in table.rows():
        if isinstance(row, Bad):
            found.append(f"{table.place_of(row)} {row.reason.key}")
            continue
        found.append(f"Patient {row.patient['name'][0]['text']} {row.patient.get('gender', '')} {row.patient.get('birthDate', '')}".rstrip())
        found += [_shown(resource) for resource in row.settle("example")]
    return found


def _shown(resource: dict[str, Any]) -> str:
    """The type, the first code, and a value."""
    concepts = [resource.get(name) for name in ("relationship", "vaccineCode", "medicationCodeableConcept", "code")]
    told = [one["coding"][0]["code"] if "coding" in one else one["text"] for one in concepts if one]
    told += [one["code"]["coding"][0]["code"] for one in resource.get("condition", ())]
    value = resource.get("valueQuantity")
    told += [f"{value.get('comparator', '')}{value['value']} {value.get('code', value.get('unit', ''))}".rstrip()] if value else []
    told += [f"{one['valueQuantity']['value']}" for one in resource.get("component", ()) if "valueQuantity" in one]
    return " ".join([resource["resourceType"], *told])
