"""Bills and settlements as FHIR: Coverage, Claim, ClaimResponse, ExplanationOfBenefit, and back.

A Claim keeps everything that the audit asks for later: each line with its class, day, days of supply and dose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from kangyun.base.errors import Problem, refuse
from kangyun.base.money import Fen, from_fhir, to_fhir
from kangyun.support.insurance.model import (
    CLASS_SYSTEM,
    FACT_SYSTEM,
    FIGURES,
    FINDING_SYSTEM,
    KIND_SYSTEM,
    PART_SYSTEM,
    SCENES,
    SETTLEMENT_SYSTEM,
    WHOLE,
    Bill,
    Insured,
    Line,
    Settlement,
)

DRUG_SYSTEM = "urn:kangyun:insurance:catalogue"
ATC_SYSTEM = "http://www.whocc.no/atc"
ICD_SYSTEM = "http://hl7.org/fhir/sid/icd-10"
_CLAIM_TYPES = "http://terminology.hl7.org/CodeSystem/claim-type"
_PRIORITY = "http://terminology.hl7.org/CodeSystem/processpriority"
_TYPE_OF = {"outpatient": "professional", "chronic": "professional", "inpatient": "institutional"}
_FACTS = ("days", "dose", "unordered")
_MOST_LINES = 500
_CLASSES = ("person", "aid", "supplement", "filing")


def coverage_of(insured: Insured, kept: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The Coverage of an insured person; what an older one says beside it stays."""
    classes = [_class(name, str(getattr(insured, name))) for name in _CLASSES]
    classes += [_class("area", insured.area), *(_class("chronic", one) for one in insured.chronic)]
    return {
        **(kept or {}), "resourceType": "Coverage", "id": insured.coverage, "status": "active" if insured.valid else "cancelled",
        "type": {"coding": [{"system": KIND_SYSTEM, "code": insured.kind}]}, "subscriberId": insured.member,
        "beneficiary": {"reference": f"Patient/{insured.patient}"}, "payor": [{"reference": f"Organization/{insured.insurer}"}], "class": classes}


def _class(name: str, value: str) -> dict[str, Any]:
    return {"type": {"coding": [{"system": CLASS_SYSTEM, "code": name}]}, "value": value}


def insured_of(coverage: Mapping[str, Any]) -> Insured:
    """The insured person of a Coverage."""
    told = [(one["type"]["coding"][0]["code"], str(one["value"])) for one in coverage.get("class", ())]
    named = dict(told)
    return Insured(
        str(coverage.get("subscriberId", "")), _id(coverage["payor"][0]), named.get("area", ""), str(coverage["type"]["coding"][0]["code"]),
        named.get("person", ""), aid=named.get("aid", "none"), supplement=named.get("supplement", "none"), filing=named.get("filing", "none"),
        chronic=tuple(value for name, value in told if name == "chronic"), valid=coverage.get("status") == "active",
        patient=_id(coverage["beneficiary"]), coverage=str(coverage["id"]))


def _id(reference: Mapping[str, Any] | None) -> str:
    return str((reference or {}).get("reference", "")).rpartition("/")[2]


def claim_of(bill: Bill, insured: Insured, id_: str, created: str, use: str = "claim") -> dict[str, Any]:
    """The Claim of a bill."""
    facts = [fact for number, line in enumerate(bill.lines, 1) for fact in _facts(number, line)]
    facts += [_fact(name, value) for name, value in _visit(bill)]
    for number, fact in enumerate(facts, 1):
        fact["sequence"] = number
    items = [_item(number, line, [one["sequence"] for one in facts if one.pop("line", 0) == number]) for number, line in enumerate(bill.lines, 1)]
    whole: dict[str, Any] = {
        "resourceType": "Claim", "id": f"clm-{id_}", "status": "active", "use": use, "created": created,
        "identifier": [{"system": SETTLEMENT_SYSTEM, "value": id_}], "type": _coded(_CLAIM_TYPES, _TYPE_OF[bill.scene]),
        "subType": _coded(SCENE_SYSTEM, bill.scene), "patient": {"reference": f"Patient/{bill.patient}"},
        "billablePeriod": {"start": bill.started or bill.on.isoformat(), "end": bill.ended or bill.on.isoformat()},
        "provider": {"reference": f"Organization/{bill.place}"}, "insurer": {"reference": f"Organization/{insured.insurer}"},
        "priority": _coded(_PRIORITY, "normal"),
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": f"Coverage/{insured.coverage}"}}],
        "careTeam": [{"sequence": 1, "provider": {"reference": f"Practitioner/{bill.doctor}"}}] if bill.doctor else None,
        "diagnosis": [{"sequence": number, "diagnosisCodeableConcept": _coded(ICD_SYSTEM, one)} for number, one in enumerate(bill.diagnoses, 1)],
        "supportingInfo": facts, "item": items, "total": to_fhir(bill.total)}
    if bill.encounter and items:
        items[0]["encounter"] = [{"reference": f"Encounter/{bill.encounter}"}]
    return {name: value for name, value in whole.items() if value not in (None, [])}


SCENE_SYSTEM = "urn:kangyun:insurance:scene"


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _visit(bill: Bill) -> Iterable[tuple[str, str]]:
    told = {"level": str(bill.level), "area": bill.area, "filing": bill.filing, "department": bill.department,
            "prescription": bill.prescription, "online": "yes" if bill.online else ""}
    return ((name, value) for name, value in told.items() if value)


def _facts(number: int, line: Line) -> Iterable[dict[str, Any]]:
    told = {"days": str(line.days or ""), "dose": f"{line.dose:g} {line.unit}".strip() if line.dose else "", "unordered": "" if line.ordered else "yes"}
    return ({"line": number, **_fact(name, value)} for name, value in told.items() if value)


def _fact(name: str, value: str) -> dict[str, Any]:
    return {"category": _coded(FACT_SYSTEM, name), "valueString": value}


def _item(number: int, line: Line, facts: Sequence[int]) -> dict[str, Any]:
    codings = [{"system": DRUG_SYSTEM, "code": line.code, "display": line.name}]
    codings += [{"system": ATC_SYSTEM, "code": line.atc}] if line.atc else []
    quantity = line.quantity if isinstance(line.quantity, int) else Decimal(line.quantity.numerator) / Decimal(line.quantity.denominator)
    whole: dict[str, Any] = {
        "sequence": number, "informationSequence": list(facts), "category": _coded(f"{FACT_SYSTEM}:category", line.category),
        "productOrService": {"coding": [{name: value for name, value in one.items() if value} for one in codings]},
        "programCode": [_coded(CLASS_SYSTEM, line.kind)], "servicedDate": line.day or None, "quantity": {"value": quantity},
        "unitPrice": to_fhir(line.unit_price), "factor": Decimal(line.rate) / WHOLE if line.kind == "B" else None, "net": to_fhir(line.amount),
        "detail": [_limit(line.limit)] if line.limit is not None else None}
    return {name: value for name, value in whole.items() if value not in (None, [])}


def _limit(limit: Fen) -> dict[str, Any]:
    return {"sequence": 1, "productOrService": _coded(PART_SYSTEM, "limit"), "unitPrice": to_fhir(limit)}


def bill_of(claim: Mapping[str, Any], day: date) -> Bill:
    """The bill that a Claim tells. Raises Problem 422 that names the element which cannot be read."""
    items = claim.get("item")
    if not isinstance(items, list) or not 0 < len(items) <= _MOST_LINES:
        raise refuse(422, "invalid", "insurance.wrong-lines", "Claim.item")
    facts = claim.get("supportingInfo", ())
    try:
        visit = {_code(one["category"]): str(one["valueString"]) for one in facts if one.get("category") and _code(one["category"]) not in _FACTS}
        by_number = {one["sequence"]: one for one in facts}
    except (KeyError, TypeError, IndexError):
        raise refuse(422, "invalid", "insurance.wrong-facts", "Claim.supportingInfo") from None
    lines = tuple(_line(number, one, by_number) for number, one in enumerate(items, 1))
    period = claim.get("billablePeriod", {})
    return Bill(
        _id(claim.get("patient")), _id(claim.get("provider")), _day(period.get("end"), day), lines, scene=_scene(claim),
        level=int(visit["level"]) if visit.get("level") in {"1", "2", "3"} else 0, area=visit.get("area", ""), filing=visit.get("filing", "none"),
        diagnoses=tuple(_code(one["diagnosisCodeableConcept"]) for one in claim.get("diagnosis", ()) if "diagnosisCodeableConcept" in one),
        department=visit.get("department", ""), doctor=_id(next((one.get("provider") for one in claim.get("careTeam", ())), None)),
        encounter=_id(next((one["encounter"][0] for one in items if one.get("encounter")), None)), prescription=visit.get("prescription", ""),
        started=str(period.get("start", ""))[:10], ended=str(period.get("end", ""))[:10], online=visit.get("online") == "yes")


def _scene(claim: Mapping[str, Any]) -> str:
    found = _code(claim.get("subType", {}))
    if found and found not in SCENES:
        raise refuse(422, "code-invalid", "insurance.wrong-scene", "Claim.subType")
    return found or "outpatient"


def _day(text: Any, otherwise: date) -> date:
    try:
        return date.fromisoformat(str(text)[:10]) if text else otherwise
    except ValueError:
        raise refuse(422, "invalid", "insurance.wrong-day", "Claim.billablePeriod.end") from None


def _code(concept: Mapping[str, Any]) -> str:
    return str(next(iter(concept.get("coding", ())), {}).get("code", ""))


def _line(number: int, item: Mapping[str, Any], facts: Mapping[Any, Mapping[str, Any]]) -> Line:
    told = {_code(facts[one]["category"]): str(facts[one]["valueString"]) for one in item.get("informationSequence", ()) if one in facts}
    codings = item.get("productOrService", {}).get("coding", [{}])
    dose, _, unit = told.get("dose", "").partition(" ")
    try:
        line = Line(
            str(codings[0].get("code", "")), str(codings[0].get("display", "")), _quantity(item), from_fhir(item["unitPrice"]),
            _code(next(iter(item.get("programCode", ())), {})) or "C", _rate(item.get("factor", 0)), _limit_of(item),
            category=_code(item.get("category", {})) or "drug", days=int(told.get("days", 0)), dose=float(dose or 0), unit=unit,
            atc=next((str(one["code"]) for one in codings if one.get("system") == ATC_SYSTEM), ""), day=str(item.get("servicedDate", "")),
            ordered=told.get("unordered") != "yes")
        net = from_fhir(item["net"]) if "net" in item else line.amount
    except (KeyError, ValueError, TypeError, InvalidOperation, ZeroDivisionError):
        raise _wrong_line(number) from None
    if line.kind not in {"A", "B", "C"} or line.quantity <= 0 or line.unit_price < 0 or not line.code:
        raise _wrong_line(number)
    if net != line.amount:
        raise refuse(422, "value", "insurance.wrong-amount", f"Claim.item[{number - 1}].net")
    return line


def _wrong_line(number: int) -> Problem:
    return refuse(422, "invalid", "insurance.wrong-line", f"Claim.item[{number - 1}]", number=str(number))


def _quantity(item: Mapping[str, Any]) -> int | Fraction:
    exact = Fraction(str(item.get("quantity", {}).get("value", 1)))
    return int(exact) if exact.denominator == 1 else exact


def _rate(factor: Any) -> int:
    exact = Fraction(str(factor)) * WHOLE
    if exact.denominator != 1 or not 0 <= exact <= WHOLE:
        raise ValueError("no rate")
    return int(exact)


def _limit_of(item: Mapping[str, Any]) -> Fen | None:
    return next((from_fhir(one["unitPrice"]) for one in item.get("detail", ()) if _code(one["productOrService"]) == "limit"), None)


def response_of(claim: Mapping[str, Any], settlement: Settlement | Mapping[str, Fen], outcome: str, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The ClaimResponse: outcome queued, complete, partial (the insurer differs) or error."""
    figures = settlement.figures if isinstance(settlement, Settlement) else settlement
    whole: dict[str, Any] = {
        "resourceType": "ClaimResponse", "id": str(claim.get("id", "clm-")).replace("clm-", "clr-", 1), "status": "active", "type": claim["type"], "use": claim["use"],
        "patient": claim["patient"], "created": claim["created"], "insurer": claim["insurer"], "requestor": claim["provider"],
        "request": {"reference": f"Claim/{claim['id']}"} if claim.get("id") else None, "identifier": claim.get("identifier"),
        "outcome": outcome, "total": _totals(figures), "payment": _payment(figures),
        "processNote": [{"number": number, "type": "display", "text": text} for number, text in enumerate(notes, 1)]}
    return {name: value for name, value in whole.items() if value not in (None, [])}


def _totals(figures: Mapping[str, Fen]) -> list[Any]:
    return [{"category": _coded(PART_SYSTEM, name), "amount": to_fhir(figures[name])} for name in FIGURES if name in figures]


def _payment(figures: Mapping[str, Fen]) -> dict[str, Any]:
    paid = sum(figures.get(name, 0) for name in ("fund", "serious", "supplement", "aid", "account"))
    return {"type": _coded("http://terminology.hl7.org/CodeSystem/ex-paymenttype", "complete"), "amount": to_fhir(paid)}


def benefit_of(claim: Mapping[str, Any], response: Mapping[str, Any], figures: Mapping[str, Fen]) -> dict[str, Any]:
    """The ExplanationOfBenefit, once the insurer has confirmed."""
    taken = ("type", "subType", "use", "patient", "insurer", "provider", "billablePeriod", "diagnosis", "created", "identifier", "careTeam")
    whole = {name: claim[name] for name in taken if name in claim}
    items = [{name: one[name] for name in ("sequence", "productOrService", "quantity", "unitPrice", "net", "servicedDate", "category") if name in one}
             for one in claim.get("item", ())]
    return whole | {
        "resourceType": "ExplanationOfBenefit", "id": str(claim["id"]).replace("clm-", "eob-", 1), "status": "active", "outcome": "complete",
        "claim": {"reference": f"Claim/{claim['id']}"}, "claimResponse": {"reference": f"ClaimResponse/{response['id']}"},
        "insurance": [{"focal": True, "coverage": claim["insurance"][0]["coverage"]}], "item": items, "total": _totals(figures)}


def figures_of(response: Mapping[str, Any]) -> dict[str, Fen]:
    """The figures of a ClaimResponse or ExplanationOfBenefit."""
    return {_code(one["category"]): from_fhir(one["amount"]) for one in response.get("total", ())}


def excluding(bill: Bill, lines: Iterable[int]) -> Bill:
    """The bill with these lines (numbers from 1) as class C: the person pays them."""
    out = set(lines)
    return replace(bill, lines=tuple(replace(line, kind="C") if number in out else line for number, line in enumerate(bill.lines, 1))) if out else bill


def appeal_task(finding: Mapping[str, Any], reason: str, at: str, practitioner: str = "") -> dict[str, Any]:
    """The Task by which an institution objects to a finding; the insurer owns it."""
    requester = f"Practitioner/{practitioner}" if practitioner else f"Organization/{finding['place']}"
    return {
        "resourceType": "Task", "id": f"apl-{finding['id']}", "status": "requested", "intent": "order", "authoredOn": at, "lastModified": at,
        "identifier": [{"system": FINDING_SYSTEM, "value": finding["id"]}], "code": _coded(f"{FINDING_SYSTEM}:task", "appeal"),
        "focus": {"reference": f"Claim/clm-{finding['settlement']}"}, "for": {"reference": f"Patient/{finding['patient']}"},
        "requester": {"reference": requester}, "owner": {"reference": f"Organization/{finding['insurer']}"},
        "input": [{"type": _coded(FINDING_SYSTEM, "rule"), "valueString": finding["rule"]}, {"type": _coded(FINDING_SYSTEM, "reason"), "valueString": reason}]}


def decided_task(task: Mapping[str, Any], state: str, reason: str, at: str) -> dict[str, Any]:
    """The Task with the insurer's decision: completed when the finding is withdrawn, rejected when it is upheld."""
    output = [{"type": _coded(FINDING_SYSTEM, "decision"), "valueString": state}, {"type": _coded(FINDING_SYSTEM, "reason"), "valueString": reason}]
    return {**task, "status": "completed" if state == "withdrawn" else "rejected", "lastModified": at, "output": output}
