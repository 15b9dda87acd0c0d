"""Population: who is who.

Every source keeps its own Patient of a resident; the Person above them is the golden record. Reading across:
`identities(handle, patient_id)`. Taking in: `prepare(...)`, then `handle.commit(writes, beside=beside(arrivals))`.
"""

from kangyun.base import errors
from kangyun.commons.population.actions import (
    Registration,
    beside,
    committed,
    overtaken,
    place,
    place_each,
    prepare,
    prepare_merge,
    register,
    relate,
    turn,
)
from kangyun.commons.population.actions.card_scan import Reading as CardReading
from kangyun.commons.population.actions.card_scan import scan as scan_card
from kangyun.commons.population.actions.cards import Cards
from kangyun.commons.population.actions.enrolment import patient_at
from kangyun.commons.population.actions.sharing import Shared, Wish, share
from kangyun.commons.population.actions.sharing import end as end_link
from kangyun.commons.population.decisions import (
    is_credit_code,
    is_id_number,
    looks_like_id_number,
    normal_id_number,
    telling,
)
from kangyun.commons.population.decisions.calendar import solar_of
from kangyun.commons.population.decisions.card import card_titles, legal_name
from kangyun.commons.population.decisions.matching.numbers import phone as telephone
from kangyun.commons.population.decisions.matching.places import place as parts_of_address
from kangyun.commons.population.decisions.sharing import terms as share_terms
from kangyun.commons.population.model import ID_NUMBER_SYSTEM, Ambiguous, Arrival, Identity
from kangyun.commons.population.queries import identify, identities, patients_of, person_of, persons_of
from kangyun.commons.population.queries.card import Card
from kangyun.commons.population.queries.sharing import Link, links

errors.register("kangyun.commons.population")

__all__ = [
    "ID_NUMBER_SYSTEM", "Ambiguous", "Arrival", "Card", "CardReading", "Cards", "Identity", "Link", "Registration", "Shared", "Wish", "beside", "card_titles", "committed", "end_link", "identify", "identities",
    "is_credit_code", "is_id_number", "legal_name", "links", "looks_like_id_number", "normal_id_number", "overtaken", "parts_of_address", "patient_at", "patients_of",
    "person_of", "persons_of", "place", "place_each", "prepare", "prepare_merge", "register", "relate", "scan_card", "share", "share_terms", "solar_of", "telephone", "telling", "turn",
]
