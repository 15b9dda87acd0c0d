"""Judgements about identity."""

from kangyun.commons.population.decisions.examples import check_example
from kangyun.commons.population.decisions.residents import (
    belongs_together,
    contradicts,
    is_credit_code,
    is_id_number,
    looks_like_id_number,
    normal_id_number,
    normal_identifiers,
    survivor,
    telling,
)

__all__ = [
    "belongs_together", "check_example", "contradicts", "is_credit_code", "is_id_number", "looks_like_id_number",
    "normal_id_number", "normal_identifiers", "survivor", "telling",
]
