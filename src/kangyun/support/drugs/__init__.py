"""The front door of drugs: the few names that other rooms may import."""

from kangyun.base import errors
from kangyun.support.drugs.actions.circulation import (
    choose,
    content_for,
    decline,
    lock,
    of_ones_own,
    offer,
    paid,
    refunded,
    settled,
    unlock,
)
from kangyun.support.drugs.actions.circulation_sweep import sweep
from kangyun.support.drugs.actions.delivery import at_door, deliver, fail, log_temperature, pick_up, take_back
from kangyun.support.drugs.actions.delivery_codes import code_of
from kangyun.support.drugs.actions.dispensing import Giving, close, dispense, hand_over
from kangyun.support.drugs.actions.dispensing_stock import count, shelf
from kangyun.support.drugs.actions.listing import load as load_list
from kangyun.support.drugs.actions.listing import publish
from kangyun.support.drugs.actions.prescriptions import cancel, check, confirm, prescribe, sign_draft
from kangyun.support.drugs.actions.prescriptions_review import ask, claim, claim_next, pass_, refuse_, return_
from kangyun.support.drugs.decisions.lookup import look_up
from kangyun.support.drugs.decisions.review import review
from kangyun.support.drugs.model import Diagnosis, Drug, Finding, Line, Patient, Prescriber, Prescription
from kangyun.support.drugs.model.circulation import Choice, Draft, Held, Priced
from kangyun.support.drugs.queries.counter import at_counter, places_of, shelf_at
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.parcels import of_courier
from kangyun.support.drugs.queries.prescriptions import at_pharmacy, of_patients
from kangyun.support.drugs.queries.priced import lines_with_prices, standing, with_prices

errors.register("kangyun.support.drugs")

__all__ = [
    "Choice", "Diagnosis", "Draft", "Drug", "Finding", "Giving", "Held", "Line", "Patient", "Prescriber", "Prescription", "Priced", "ask",
    "at_counter", "at_door", "at_pharmacy", "cancel", "catalogue", "check", "choose", "claim", "claim_next", "close", "code_of", "confirm",
    "content_for", "count", "decline", "deliver", "dispense", "fail", "hand_over", "lines_with_prices", "load_list", "lock",
    "log_temperature", "look_up", "of_courier", "of_ones_own", "of_patients", "offer", "paid", "pass_", "pick_up", "places_of", "prescribe",
    "publish", "refunded", "refuse_", "return_", "review", "settled", "shelf", "shelf_at", "sign_draft", "standing", "sweep", "take_back", "unlock", "with_prices",
]
