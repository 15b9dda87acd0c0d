"""A Person as a FHIR Linkage: which Patients are one person, and which Persons went up in it.

FHIR R4: https://hl7.org/fhir/R4/linkage.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def linkage_of(person: dict[str, Any], former: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The Linkage under the id of its Person: the golden record as source, Patients as alternates, merged Persons as historical."""
    patients = [str(link["target"]["reference"]) for link in person.get("link", []) if "reference" in link.get("target", {})]
    items = [
        _item("source", f"Person/{person['id']}"),
        *(_item("alternate", one) for one in patients if one.startswith("Patient/")),
        *(_item("historical", f"Person/{one['id']}") for one in former),
    ]
    meta = {key: value for key, value in person.get("meta", {}).items() if key in {"versionId", "lastUpdated"}}
    return {"resourceType": "Linkage", "id": person["id"], "meta": meta, "active": person.get("active", True), "item": items}


def _item(kind: str, reference: str) -> dict[str, Any]:
    return {"type": kind, "resource": {"reference": reference}}
