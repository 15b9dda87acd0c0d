"""The catalogue in FHIR: a drug as Medication (what is given) and MedicationKnowledge (what is known of it)."""

from __future__ import annotations

from typing import Any

from kangyun.base import money
from kangyun.support.drugs.decisions.catalogue import forms
from kangyun.support.drugs.model import Drug
from kangyun.support.drugs.model.catalogue import CATALOGUE_SYSTEM, INSURANCE_SYSTEM, NATIONAL_SYSTEM

Json = dict[str, Any]

ATC = "http://www.whocc.no/atc"
FORM_SYSTEM = "urn:kangyun:drug-form"
_CONTROL_SYSTEM = "urn:kangyun:drug-control"
_CHARACTER_SYSTEM = "urn:kangyun:drug-characteristic"
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_CERTAINTY = "urn:kangyun:extension:certainty"


def resources(drug: Drug) -> list[Json]:
    """Medication and MedicationKnowledge of a drug, both with the id drug-<code>."""
    return [medication(drug), knowledge_of(drug)]


def id_of(code: str) -> str:
    """The id of both resources of a drug."""
    return f"drug-{code}"


def coded(drug: Drug) -> Json:
    """The CodeableConcept of a drug: our code, ATC, the national and the insurance code, and its name in both languages."""
    codes = [(CATALOGUE_SYSTEM, drug.code), (ATC, drug.atc), (NATIONAL_SYSTEM, drug.national), (INSURANCE_SYSTEM, drug.insurance_code)]
    english = [{"url": "lang", "valueCode": "en"}, {"url": "content", "valueString": drug.en}]
    return {
        "coding": [{"system": system, "code": code} for system, code in codes if code], "text": drug.zh,
        "_text": {"extension": [{"url": _TRANSLATION, "extension": english}]},
    }


def medication(drug: Drug) -> Json:
    """What is given: code, form, strength."""
    return {
        "resourceType": "Medication", "id": id_of(drug.code), "code": coded(drug), "status": "active", "form": _form(drug),
        "amount": {"numerator": _quantity(drug.strength.value, drug.strength.unit), "denominator": _quantity(1, drug.unit)},
    }


def _form(drug: Drug) -> Json:
    return {"coding": [{"system": FORM_SYSTEM, "code": drug.form}], "text": str(forms()[drug.form]["zh"])}


def _quantity(value: float, unit: str) -> Json:
    return {"value": int(value) if float(value).is_integer() else value, "unit": unit}


def knowledge_of(drug: Drug) -> Json:
    """What is known: trade names, price, doses, contraindications, how it is classed and stored, and how sure that is."""
    whole: Json = {
        "resourceType": "MedicationKnowledge", "id": id_of(drug.code), "extension": [{"url": _CERTAINTY, "valueCode": drug.certainty}],
        "code": coded(drug), "status": "active", "doseForm": _form(drug), "amount": _quantity(drug.per_package, drug.unit),
        "synonym": list(drug.trade), "productType": [{"text": drug.kind}], "associatedMedication": [{"reference": f"Medication/{id_of(drug.code)}"}],
        "cost": _costs(drug), "administrationGuidelines": [{"dosage": _dosages(drug)}],
        "medicineClassification": _classes(drug), "packaging": {"type": {"text": drug.package}, "quantity": _quantity(drug.per_package, drug.unit)},
        "drugCharacteristic": _characters(drug),
    }
    return {name: value for name, value in whole.items() if value not in ([], None)}


def _costs(drug: Drug) -> list[Json]:
    prices = [("demonstration price", drug.price), ("insurance limit", drug.limit)]
    return [{"type": {"text": name}, "cost": money.to_fhir(fen)} for name, fen in prices if fen]


def _dosages(drug: Drug) -> list[Json]:
    dose = drug.dose
    dosage: Json = {
        "text": f"{dose.usual:g} {dose.unit} {dose.frequency} {dose.route}", "doseAndRate": [{"doseQuantity": _quantity(dose.usual, dose.unit)}],
        "maxDosePerPeriod": {"numerator": _quantity(dose.daily, dose.unit), "denominator": {"value": 1, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}},
        "maxDosePerAdministration": _quantity(dose.single, dose.unit),
    }
    return [{"type": {"text": "usual and most of adults"}, "dosage": [dosage]}]


def _classes(drug: Drug) -> list[Json]:
    first = {"C": "", "B": f" {drug.first_pay:.0%}"}.get(drug.insurance, "")
    classes = [("control", drug.control), ("antimicrobial tier", drug.tier), ("insurance class", f"{drug.insurance}{first}"), ("essential", "essential" if drug.essential else "")]
    return [{"type": {"text": name}, "classification": [{"coding": [{"system": _CONTROL_SYSTEM, "code": value.strip()}], "text": value}]} for name, value in classes if value]


def _characters(drug: Drug) -> list[Json]:
    said = [("storage", drug.storage), ("pregnancy", drug.pregnancy), ("lactation", drug.lactation), ("skin test", "needed" if drug.skin_test else "")]
    prefixes = [("indication", drug.indications), ("never in", drug.never), ("seldom in", drug.seldom)]
    texts = [*((name, value) for name, value in said if value), *((name, ", ".join(codes)) for name, codes in prefixes if codes)]
    return [{"type": {"coding": [{"system": _CHARACTER_SYSTEM, "code": name.replace(" ", "-")}], "text": name}, "valueString": text} for name, text in texts]
