"""The nouns of drugs: what the catalogue keeps, what is prescribed, what a review finds."""

from kangyun.support.drugs.model.catalogue import (
    CATALOGUE_SYSTEM,
    INSURANCE_SYSTEM,
    NATIONAL_SYSTEM,
    Child,
    Dose,
    Drug,
    Reduction,
    Strength,
)
from kangyun.support.drugs.model.review import (
    Allergy,
    Diagnosis,
    Finding,
    Group,
    Level,
    Line,
    Patient,
    Prescriber,
    Prescription,
    Taken,
)

__all__ = [
    "CATALOGUE_SYSTEM", "INSURANCE_SYSTEM", "NATIONAL_SYSTEM", "Allergy", "Child", "Diagnosis", "Dose", "Drug", "Finding", "Group", "Level", "Line",
    "Patient", "Prescriber", "Prescription", "Reduction", "Strength", "Taken",
]
