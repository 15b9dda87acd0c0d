"""The official R4 examples validate; each that does not is listed with its fault, and nothing else is listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import ROOT, shared

from kangyun.base.fhir import json
from kangyun.base.fhir.validation import explain, quick, validate

PACKAGE = ROOT / "node_modules" / "hl7.fhir.r4.examples"
EXCEPTIONS: dict[str, str] = yaml.safe_load(Path(__file__).with_name("official_exceptions.yaml").read_text("utf-8"))
DEFINITIONS = (
    "CodeSystem-", "ConceptMap-", "OperationDefinition-", "SearchParameter-", "StructureDefinition-", "ValueSet-",
)  # fmt: skip
# Bundles of the definitions above; only repeat them.
COLLECTIONS = (
    "Bundle-conceptmaps", "Bundle-dataelements", "Bundle-extensions", "Bundle-profiles", "Bundle-resources",
    "Bundle-searchParams", "Bundle-types", "Bundle-v2-valuesets", "Bundle-v3-valuesets", "Bundle-valueset",
)  # fmt: skip


def files() -> list[Path]:
    if not PACKAGE.exists():
        pytest.skip("node_modules is absent; `make setup` installs the official examples")
    found = sorted(PACKAGE.glob("*.json"))
    return [f for f in found if not f.name.startswith((*COLLECTIONS, "package", "."))]


def faulty(chosen: list[Path]) -> set[str]:
    """Names of the files that do not validate."""
    return {f.name for f in chosen if validate(json.loads(f.read_bytes()))}


def test_examples_validate_but_for_the_listed():
    chosen = [f for f in files() if not f.name.startswith(DEFINITIONS)]
    assert len(chosen) > 700
    assert faulty(chosen) == {f.name for f in chosen} & EXCEPTIONS.keys()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", DEFINITIONS)
def test_definitions_validate_but_for_the_listed(kind: str):
    chosen = [f for f in files() if f.name.startswith(kind)]
    assert faulty(chosen) == {f.name for f in chosen} & EXCEPTIONS.keys()


def test_every_exception_has_a_reason_and_a_file():
    names = {f.name for f in PACKAGE.glob("*.json")} if PACKAGE.exists() else EXCEPTIONS.keys()
    assert EXCEPTIONS.keys() <= names
    assert all(reason.strip() for reason in EXCEPTIONS.values())


def entries(file: Path) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in json.loads(file.read_bytes())["entry"]]


def test_synthea_bundles_validate_and_need_no_exact_walk():
    found = sorted(shared("synthea").glob("*.json"))
    assert len(found) == 13
    for file in found:
        bundle = json.loads(file.read_bytes())
        assert validate(bundle) == []
        refused = [r["resourceType"] for r in entries(file) if not quick.accept(r)]
        assert refused == []


def test_quick_acceptance_agrees_with_the_exact_walk_on_the_examples():
    chosen = [f for f in files() if not f.name.startswith((*DEFINITIONS, "Bundle-", "ImplementationGuide-", "ig-"))]
    resources = [json.loads(f.read_bytes()) for f in chosen]
    accepted = [r for r in resources if quick.accept(r)]
    assert all(explain(r) == [] for r in accepted)
    # The quick way is worth having only if most resources take it.
    assert len(accepted) > 0.85 * len(resources)
