"""How this room's operations read and answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kangyun.base import clock
from kangyun.base.fhir.parameters import Reading
from kangyun.base.fhir.parameters import told as parameters_of
from kangyun.support.drugs.model.circulation import Held

MOST_UNITS = 10**9

READING = Reading(body=1_000_000, status=422, code="value", key="drugs.no-number")

Json = dict[str, Any]


def standing(found: Held, more: Iterable[Json] = ()) -> Json:
    """Where a prescription stands, as Parameters."""
    told: list[Json] = [
        {"name": "number", "valueString": found.number}, {"name": "state", "valueCode": found.state},
        {"name": "patient", "valueReference": {"reference": f"Patient/{found.patient}"}},
        *({"name": "line", "valueReference": {"reference": f"MedicationRequest/{one}"}} for one in found.line_ids),
        {"name": "validUntil", "valueInstant": clock.instant(found.valid_until)}, {"name": "paid", "valueBoolean": found.paid is not None},
    ]
    if found.review_due:
        told.append({"name": "reviewDue", "valueInstant": clock.instant(found.review_due)})
    if found.way:
        told += [{"name": "way", "valueCode": found.way}, {"name": "pharmacy", "valueReference": {"reference": f"Organization/{found.pharmacy}"}}]
    return parameters_of(*told, *more)
