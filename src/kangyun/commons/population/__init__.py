"""Population: who is who. Residents are found by exact identifiers, registered once, and merged."""

from kangyun.commons.population.actions import Registration, overtaken, prepare, prepare_merge, register, turn
from kangyun.commons.population.decisions import (
    is_credit_code,
    is_id_number,
    looks_like_id_number,
    normal_id_number,
    telling,
)
from kangyun.commons.population.model import ID_NUMBER_SYSTEM, Ambiguous, Identity
from kangyun.commons.population.queries import identities, identify, patients_of, person_of, persons_of

__all__ = [
    "ID_NUMBER_SYSTEM", "Ambiguous", "Identity", "Registration", "identify", "identities", "is_credit_code", "is_id_number",
    "looks_like_id_number", "normal_id_number", "overtaken", "patients_of", "person_of", "persons_of", "prepare",
    "prepare_merge", "register", "telling", "turn",
]
