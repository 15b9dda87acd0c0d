"""The transactions of the city: a whole visit of the township hospital, and the prescriptions of the other hospitals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from yunzhou import fhir, observations, truth
from yunzhou.cards import Card
from yunzhou.fhir import Bundle
from yunzhou.messages import Fact, Message
from yunzhou.truth import urn
from yunzhou.visits import Allergen, Visit, pharmacy

ENCODER = msgspec.json.Encoder(decimal_format="number")


def prescriptions(visit: Visit, card: Card) -> Message | None:
    """Return the prescriptions of a hospital's visit; they refer to the visit that its ADT messages made."""
    if not visit.prescriptions:
        return None
    bundle = Bundle()
    house = visit.institution
    keeper = bundle.add(fhir.organization(house), fhir.INSTITUTIONS, house.mnemonic)
    subject = bundle.add(fhir.patient(card, house, keeper), *fhir.patient_identity(card, house))
    encounter = f"Encounter?identifier={urn(house.system('visit'))}|{visit.number}"
    facts = _prescribe(bundle, visit, subject, encounter)
    return _message(bundle, visit, f"{visit.number}RX", "prescriptions", facts)


def township_visit(visit: Visit, card: Card, allergies: list[Allergen], known: list[tuple[str, str]]) -> Message:
    """Return everything of one visit to the township hospital."""
    bundle, house = Bundle(), visit.institution
    keeper = bundle.add(fhir.organization(house), fhir.INSTITUTIONS, house.mnemonic)
    subject = bundle.add(fhir.patient(card, house, keeper), *fhir.patient_identity(card, house))
    encounter = bundle.add(fhir.encounter(visit, subject, keeper), urn(house.system("visit")), visit.number)
    facts: list[Fact] = [truth.resident(card, known), truth.visit(visit, "finished"), *truth.diagnoses(visit)]
    for diagnosis in visit.diagnoses:
        number = card.record if diagnosis.chronic else visit.number
        problem = fhir.condition(diagnosis, visit, subject, encounter)
        bundle.add(problem, urn(house.system("condition")), f"{number}-{diagnosis.code}")
    _measure(bundle, visit, subject, encounter, facts)
    facts += _prescribe(bundle, visit, subject, encounter)
    for allergen in allergies:
        resource = observations.allergy(allergen, visit, subject)
        bundle.add(resource, urn(house.system("allergy")), f"{card.record}-{allergen.code}")
        facts.append(truth.allergy(visit.person, allergen))
    _vaccinate(bundle, visit, subject, encounter, facts)
    return _message(bundle, visit, visit.number, visit.kind, facts,
                    results=partial(truth.of_visit, visit))  # fmt: skip


def _prescribe(bundle: Bundle, visit: Visit, subject: str, encounter: str) -> list[Fact]:
    for prescription in visit.prescriptions:
        medicine = pharmacy().medicines[prescription.medicine]
        request = fhir.medication_request(medicine, visit, prescription.written, subject, encounter)
        bundle.add(request, urn(visit.institution.system("prescription")), prescription.number)
    return [truth.medicine(visit, prescription) for prescription in visit.prescriptions]


def _measure(bundle: Bundle, visit: Visit, subject: str, encounter: str, facts: list[Fact]) -> None:
    for report in visit.reports:
        for number, observation in observations.of_report(visit, report, subject, encounter):
            bundle.add(observation, urn(visit.institution.system("report")), number)
    if visit.kind == "checkup":
        page = observations.document(visit, "健康体检报告", subject, encounter)
        number = f"{visit.number}D1"
        bundle.add(page, urn(visit.institution.system("document")), number)
        facts.append(truth.document(visit, number, "健康体检报告"))


def _vaccinate(bundle: Bundle, visit: Visit, subject: str, encounter: str, facts: list[Fact]) -> None:
    for index, dose in enumerate(visit.doses, 1):
        number = f"{visit.number}V{index}"
        resource = observations.immunisation(dose, visit, subject, encounter)
        bundle.add(resource, urn(visit.institution.system("immunisation")), number)
        facts.append(truth.immunisation(visit, dose, number))


def _message(
    bundle: Bundle, visit: Visit, name: str, kind: str, facts: list[Fact], *, results: Callable[[], list[Fact]] | None = None
) -> Message:
    body = ENCODER.encode(bundle.json())
    return Message(name, visit.institution.key, "fhir", visit.end, visit.person.household, body, kind, facts=facts, results=results)
