"""Judgements about the electronic health card: its numbers, its codes, its states. Pure: no clock, no database."""

from kangyun.commons.population.decisions.card.algorithm import (
    CARD_SYSTEM,
    Holder,
    Numbers,
    expiry_block,
    expiry_of,
    holder_of,
    is_document,
    legal_name,
    numbers_of,
)
from kangyun.commons.population.decisions.card.codes import Code, check_example, code_text, parse_code
from kangyun.commons.population.decisions.card.pins import is_right, is_weak, scrambled
from kangyun.commons.population.decisions.card.states import may_follow, next_state
from kangyun.commons.population.decisions.card.terms import (
    Terms,
    Titles,
    card_titles,
    channels,
    relations,
    steps,
    terms,
)
from kangyun.commons.population.decisions.card.tokens import Claims, parse_token, signed_text, unsigned_text

__all__ = [
    "CARD_SYSTEM", "Claims", "Code", "Holder", "Numbers", "Terms", "Titles", "card_titles", "channels", "check_example", "code_text", "expiry_block", "expiry_of",
    "holder_of", "is_document", "is_right", "is_weak", "legal_name", "may_follow", "next_state", "numbers_of", "parse_code", "parse_token", "relations", "scrambled", "signed_text", "steps",
    "terms", "unsigned_text",
]
