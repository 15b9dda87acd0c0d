"""The facts of the truth: what happened, as one JSON object per line, so that results can be scored."""

from __future__ import annotations

from yunzhou.cards import Card
from yunzhou.institutions import NATIONAL_ID, institution
from yunzhou.laboratory import Report, catalogue
from yunzhou.messages import Fact
from yunzhou.people import Person
from yunzhou.vaccines import Due
from yunzhou.visits import Allergen, Prescription, Visit, pharmacy

NATIONAL = f"urn:oid:{NATIONAL_ID}"


def urn(oid: str) -> str:
    """Return an OID as a FHIR system."""
    return f"urn:oid:{oid}"


def resident(card: Card, records: list[tuple[str, str]]) -> Fact:
    """Return who a resident is; `records` are system and value of the record numbers given so far."""
    person = card.person
    national = [(urn(NATIONAL_ID), card.id_number)] if card.id_number else []
    return {
        "fact": "resident", "id": person.key, "name": person.name.text, "sex": person.sex,
        "birth": person.birth.isoformat(),
        "death": person.death.isoformat() if card.death and person.death else None, "identifiers": [*national, *records], "household": person.household,
        "mother": f"{person.household:07d}{person.mother}" if person.mother else None,
        "records": [[_sender(system), value] for system, value in records],
    }  # fmt: skip


def visit(visit: Visit, status: str) -> Fact:
    """Return a visit in its present state; a later fact of the same id replaces it."""
    return {
        "fact": "visit", "id": visit.number, "resident": visit.person.key, "system": urn(visit.institution.system("visit")),
        "kind": visit.kind, "status": status, "start": visit.start.isoformat(), "end": visit.end.isoformat(),
    }  # fmt: skip


def results(visit: Visit, report: Report) -> list[Fact]:
    """Return one fact for each result of a report; `codes` are all codes that it may be stored under."""
    local_first = visit.institution.habits.local_first
    found: list[Fact] = []
    for result in report.results:
        item = catalogue().items[result.item]
        codes = [code for code in (item.loinc, item.tcm[0] if local_first else item.local) if code]
        found.append({
            "fact": "result", "id": f"{report.number}-{result.item}", "resident": visit.person.key, "visit": visit.number,
            "codes": codes, "value": result.value, "unit": result.unit, "flag": result.flag, "at": result.at.isoformat(),
        })  # fmt: skip
    return found


def row(visit: Visit, kind: str) -> Fact:
    """Return a visit that is only a row of a spreadsheet, without a number of its own."""
    return {
        "fact": "row", "id": visit.number, "resident": visit.person.key, "sheet": kind,
        "codes": [diagnosis.code for diagnosis in visit.diagnoses[:1]], "start": visit.start.isoformat(),
    }  # fmt: skip


def _sender(system: str) -> str:
    """Return the institution that numbers its records by a system."""
    return institution(int(system.rpartition(".")[2])).mnemonic


def of_visit(visit: Visit) -> list[Fact]:
    """Return the facts of all results of a visit."""
    return [fact for report in visit.reports for fact in results(visit, report)]


def diagnoses(visit: Visit) -> list[Fact]:
    """Return the diagnoses of a visit."""
    return [
        {
            "fact": "diagnosis",
            "id": f"{visit.number}-{diagnosis.code}",
            "resident": visit.person.key,
            "code": diagnosis.code,
        }
        for diagnosis in visit.diagnoses
    ]


def medicine(visit: Visit, prescription: Prescription) -> Fact:
    """Return a prescribed medicine."""
    medicine = pharmacy().medicines[prescription.medicine]
    return {
        "fact": "medicine", "id": prescription.number, "resident": visit.person.key,
        "system": urn(visit.institution.system("prescription")), "code": medicine.atc or medicine.local,
    }  # fmt: skip


def allergy(person: Person, allergen: Allergen) -> Fact:
    """Return an allergy."""
    return {"fact": "allergy", "id": f"{person.key}-{allergen.code}", "resident": person.key, "code": allergen.code}


def immunisation(visit: Visit, dose: Due, number: str) -> Fact:
    """Return a given dose."""
    return {
        "fact": "immunisation", "id": number, "resident": visit.person.key,
        "system": urn(visit.institution.system("immunisation")), "code": dose.code,
    }  # fmt: skip


def document(visit: Visit, number: str, title: str) -> Fact:
    """Return a document."""
    return {
        "fact": "document", "id": number, "resident": visit.person.key,
        "system": urn(visit.institution.system("document")), "title": title,
    }  # fmt: skip


def merge(person: Person, system: str, kept: str, gone: str) -> Fact:
    """Return a merge of two registrations of one resident."""
    return {"fact": "merge", "id": gone, "resident": person.key, "system": urn(system), "kept": kept, "gone": gone}
