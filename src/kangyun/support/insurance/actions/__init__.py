"""The actions of insurance; the only part that changes anything."""

from kangyun.support.insurance.actions.eligibility import ask_eligibility
from kangyun.support.insurance.actions.estimating import estimate
from kangyun.support.insurance.actions.settling import reverse, settle

__all__ = ["ask_eligibility", "estimate", "reverse", "settle"]
