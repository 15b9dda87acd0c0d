"""FHIR transactions of the township hospital and the prescriptions of the others."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from yunzhou import people
from yunzhou.tests.standard import told

Json = dict[str, Any]


def _bundles() -> list[Json]:
    return [json.loads(m.body, parse_float=Decimal) for m in told() if m.transport == "fhir"]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["reference"]] if isinstance(node.get("reference"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []


def test_no_reference_points_nowhere() -> None:
    for bundle in _bundles():
        urls = {entry["fullUrl"] for entry in bundle["entry"]}
        assert len(urls) == len(bundle["entry"])
        for reference in _references(bundle):
            assert reference in urls or reference.startswith("Encounter?identifier=urn:oid:2.16.156.10011.99.")


def _empty(node: Any) -> bool:
    if isinstance(node, dict | list):
        return not node or any(map(_empty, node.values() if isinstance(node, dict) else node))
    return node == ""


def test_nothing_is_empty() -> None:
    assert not any(map(_empty, _bundles()))


def test_every_entry_is_created_unless_its_identifier_exists() -> None:
    for bundle in _bundles():
        assert bundle["type"] == "transaction"
        for entry in bundle["entry"]:
            resource, request = entry["resource"], entry["request"]
            assert (request["method"], request["url"]) == ("POST", resource["resourceType"])
            held = {f"identifier={one['system']}|{one['value']}" for one in resource["identifier"]}
            assert request["ifNoneExist"] in held


def test_no_business_identifier_means_two_things() -> None:
    seen: dict[tuple[str, str], str] = {}
    for bundle in _bundles():
        for entry in bundle["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] in {"Organization", "Patient", "Condition", "AllergyIntolerance"}:
                continue
            key = (resource["resourceType"], entry["request"]["ifNoneExist"])
            assert key not in seen
            seen[key] = entry["fullUrl"]


def test_residents_have_right_id_numbers() -> None:
    for bundle in _bundles():
        patient = bundle["entry"][1]["resource"]
        assert patient["resourceType"] == "Patient"
        numbers = [one["value"] for one in patient["identifier"] if one["system"] == "urn:oid:2.16.156.10011.1.3"]
        assert all(people.is_valid(number) or len(number) == 15 for number in numbers)


def test_every_kind_of_resource_occurs() -> None:
    kinds = {entry["resource"]["resourceType"] for bundle in _bundles() for entry in bundle["entry"]}
    assert kinds >= {
        "Patient", "Encounter", "Condition", "MedicationRequest", "Observation", "Immunization", "DocumentReference",
    }  # fmt: skip


def test_quantities_keep_their_decimals() -> None:
    raw = b"".join(message.body for message in told() if message.transport == "fhir")
    assert b'"value":"' in raw
    for bundle in _bundles():
        for entry in bundle["entry"]:
            if entry["resource"]["resourceType"] == "Observation" and "valueQuantity" in entry["resource"]:
                assert isinstance(entry["resource"]["valueQuantity"]["value"], Decimal | int)


def test_both_blood_pressures_are_one_observation() -> None:
    found = [
        entry["resource"]
        for bundle in _bundles()
        for entry in bundle["entry"]
        if entry["resource"].get("code", {}).get("text") == "血压"
    ]
    assert found
    assert all(len(resource["component"]) == 2 for resource in found)
