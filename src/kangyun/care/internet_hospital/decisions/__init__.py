"""The judgements of the internet hospital: facts and rules in, verdicts out; no clock, no database."""

from kangyun.care.internet_hospital.decisions.examples import check_example

__all__ = ["check_example"]
