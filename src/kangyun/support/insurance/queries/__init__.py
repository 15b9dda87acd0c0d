"""What insurance reads: who is insured, what was used in a year, settlements, findings."""

from kangyun.support.insurance.queries.insured import (
    Whose,
    history,
    insured_among,
    insured_of_patient,
    level_of,
    used,
    whose,
)
from kangyun.support.insurance.queries.settlements import by_id, by_key, seen, settled_of, sql

__all__ = ["Whose", "by_id", "by_key", "history", "insured_among", "insured_of_patient", "level_of", "seen", "settled_of", "sql", "used", "whose"]
