"""Judgements about drugs: facts and rules in, verdicts out; no clock, no database."""

from kangyun.support.drugs.decisions.knowledge import Knowledge, knowledge, shipped
from kangyun.support.drugs.decisions.review import review

__all__ = ["Knowledge", "knowledge", "review", "shipped"]
