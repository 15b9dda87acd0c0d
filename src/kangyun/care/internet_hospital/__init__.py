"""The front door of the internet hospital: the few names that other rooms may import."""

from kangyun.base import errors
from kangyun.care.internet_hospital.actions.asking import Wish, ask, paid
from kangyun.care.internet_hospital.model.consultations import Consultation
from kangyun.care.internet_hospital.queries.consultations import consultation_of
from kangyun.care.internet_hospital.queries.consultations import own as consultations_of

errors.register("kangyun.care.internet_hospital")

__all__ = ["Consultation", "Wish", "ask", "consultation_of", "consultations_of", "paid"]
