"""Insurance: who is insured, what a bill comes to, its settlement exactly once, and its audit."""

from kangyun.base import errors
from kangyun.support.insurance.actions import ask_eligibility, estimate, reverse, settle
from kangyun.support.insurance.actions.settling import settlement, settlement_of
from kangyun.support.insurance.gateways.insurer import Insurer, open_insurer
from kangyun.support.insurance.model import PARTS, Bill, Estimate, Finding, Insured, Line, Settled, Settlement, SoFar
from kangyun.support.insurance.queries import Whose, whose

errors.register("kangyun.support.insurance")

__all__ = [
    "PARTS", "Bill", "Estimate", "Finding", "Insured", "Insurer", "Line", "Settled", "Settlement", "SoFar", "Whose", "ask_eligibility",
    "estimate", "open_insurer", "reverse", "settle", "settlement", "settlement_of", "whose",
]
