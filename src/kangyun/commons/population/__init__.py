"""Population: who is who. Residents are found by exact identifiers, registered once, and merged."""

from kangyun.commons.population.decisions import is_credit_code, is_id_number, looks_like_id_number, normal_id_number
from kangyun.commons.population.model import ID_NUMBER_SYSTEM, Ambiguous, Identity

__all__ = [
    "ID_NUMBER_SYSTEM", "Ambiguous", "Identity", "is_credit_code", "is_id_number", "looks_like_id_number",
    "normal_id_number",
]
