"""Reads the record back over FHIR and compares it with the truth: what arrived exactly once, what is lost, what is doubled."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, cast

import httpx

Json = dict[str, Any]
READERS = 4
# Resource type, the search parameter of its patient, and the kinds of facts that are found in it by their identifier.
BY_IDENTIFIER = {
    "visit": ("Encounter",),
    "medicine": ("MedicationRequest",),
    "immunisation": ("Immunization",),
    "document": ("DocumentReference", "DiagnosticReport"),
}
BY_CODE = {"diagnosis": "Condition", "allergy": "AllergyIntolerance"}
PATIENT_PARAMETER = {
    "Encounter": "subject", "MedicationRequest": "subject", "Immunization": "patient", "DocumentReference": "subject",
    "DiagnosticReport": "subject", "Condition": "subject", "AllergyIntolerance": "patient", "Observation": "subject",
}  # fmt: skip


@dataclass(slots=True)
class Truth:
    """The facts of one resident; facts of the same kind and id replace each other."""

    facts: dict[tuple[str, str], Json] = field(default_factory=dict[tuple[str, str], Json])

    def of(self, kind: str) -> list[Json]:
        """Return the facts of a kind."""
        return [fact for (name, _), fact in self.facts.items() if name == kind]


@dataclass(slots=True)
class Score:
    """Counts by kind of fact: once, missing, doubled, wrong (arrived with another value). `examples` are ids."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter[str]))
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list[str]))

    def add(self, kind: str, found: int, name: str, *, right: bool = True, expected: int = 1) -> None:
        """Count a fact that was found so many times."""
        outcome = "missing" if found < expected else "doubled" if found > expected else "once" if right else "wrong"
        self.counts[kind][outcome] += 1
        if outcome != "once" and len(self.examples[f"{kind} {outcome}"]) < 5:
            self.examples[f"{kind} {outcome}"].append(name)

    @property
    def perfect(self) -> bool:
        """Whether nothing is lost, doubled or wrong."""
        return all(set(counter) <= {"once"} for counter in self.counts.values())

    def table(self) -> str:
        """Return the score as lines of a table, with examples of what is not right."""
        head = f"{'':14}{'once':>9}{'missing':>9}{'doubled':>9}{'wrong':>9}"
        rows = [
            f"{kind:14}"
            + "".join(f"{self.counts[kind][outcome]:>9}" for outcome in ("once", "missing", "doubled", "wrong"))
            for kind in self.counts
        ]
        return "\n".join([head, *rows, *(f"{kind}: {', '.join(names)}" for kind, names in self.examples.items())])


def read_truth(path: Path) -> dict[str, Truth]:
    """Return the truth by resident; a truth file may have been continued by several runs."""
    residents: dict[str, Truth] = defaultdict(Truth)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            fact = cast("Json", json.loads(line))
            if fact["fact"] != "message":
                owner = fact["id"] if fact["fact"] == "resident" else fact["resident"]
                residents[owner].facts[(fact["fact"], fact["id"])] = fact
    return residents


class Reader:
    """Reads the record over FHIR."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Accept": "application/fhir+json", **({"Authorization": f"Bearer {token}"} if token else {})}
        self.url = url.rstrip("/")
        self.client = httpx.AsyncClient(headers=headers, timeout=60.0, trust_env=False)

    async def search(self, kind: str, parameters: dict[str, str]) -> list[Json]:
        """Return all matches, page by page."""
        found: list[Json] = []
        url, query = f"{self.url}/{kind}", {**parameters, "_count": "200"}
        while url:
            answer = await self.client.get(url, params=query or None)
            answer.raise_for_status()
            page = cast("Json", json.loads(answer.text, parse_float=Decimal))
            entries = cast("list[Json]", page.get("entry", []))
            found += [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == kind]
            url = next((link["url"] for link in page.get("link", []) if link["relation"] == "next"), "")
            url, query = str(httpx.URL(f"{self.url}/").join(url)) if url else "", {}
        return found


async def score(truth: dict[str, Truth], reader: Reader) -> Score:
    """Compare the whole truth with the record."""
    result, queue, owners = Score(), list(truth.values()), _owners(truth)

    async def work() -> None:
        while queue:
            await _score_resident(queue.pop(), reader, result, owners)

    await asyncio.gather(*(work() for _ in range(READERS)))
    await reader.client.aclose()
    return result


def _owners(truth: dict[str, Truth]) -> dict[tuple[str, str], str]:
    """Whose each number is."""
    residents = [who for one in truth.values() for who in one.of("resident")]
    return {(system, value): who["id"] for who in residents for system, value in who["identifiers"]}


async def _score_resident(
    truth: Truth, reader: Reader, result: Score, owners: dict[tuple[str, str], str]
) -> None:
    for who in truth.of("resident"):
        patients = await _patients(who, reader)
        persons = await _persons(patients, reader)
        theirs = {owners.get(number, who["id"]) for person in persons for number in _numbers(person)}
        result.add("resident", len(persons), who["id"], right=theirs <= {who["id"]})
        if not patients:
            _all_missing(truth, result)
            continue
        known = [f"Patient/{patient['id']}" for patient in patients]
        owner = ",".join(sorted({*known, *(one for person in persons for one in _linked(person))}))
        record = {kind: await reader.search(kind, {name: owner}) for kind, name in PATIENT_PARAMETER.items()}
        _compare(truth, record, result)


async def _persons(patients: list[Json], reader: Reader) -> list[Json]:
    """Return the Persons above a resident's Patients; a Patient that stands under none counts for itself."""
    ids = [f"Patient/{patient['id']}" for patient in patients]
    found = await reader.search("Person", {"link": ",".join(ids)}) if ids else []
    persons = [person for person in found if person.get("active", True)]
    linked = {one for person in persons for one in _linked(person)}
    alone = [one for one in patients if f"Patient/{one['id']}" not in linked and _is_active(one)]
    return [*{person["id"]: person for person in persons}.values(), *alone]


def _linked(person: Json) -> list[str]:
    return [link["target"]["reference"] for link in person.get("link", []) if "target" in link]


def _numbers(person: Json) -> list[tuple[str, str]]:
    return [(str(one.get("system")), str(one.get("value"))) for one in person.get("identifier", [])]


async def _patients(who: Json, reader: Reader) -> list[Json]:
    identifiers = ",".join(f"{system}|{value}" for system, value in who["identifiers"])
    found = {patient["id"]: patient for patient in await reader.search("Patient", {"identifier": identifiers})}
    for patient in list(found.values()):
        # A merged registration may have handed its identifiers over; what was recorded under it still counts once.
        for other in await reader.search("Patient", {"link": f"Patient/{patient['id']}"}):
            found.setdefault(other["id"], other)
    return list(found.values())


def _is_active(patient: Json) -> bool:
    replaced = any(link.get("type") == "replaced-by" for link in patient.get("link", []))
    return patient.get("active", True) and not replaced


def _all_missing(truth: Truth, result: Score) -> None:
    for kind, name in truth.facts:
        if kind not in {"resident", "merge"}:
            result.add(kind, 0, name)


def _compare(truth: Truth, record: dict[str, list[Json]], result: Score) -> None:
    for kind, types in BY_IDENTIFIER.items():
        held = Counter(value for name in types for resource in record[name] for value in _identifiers(resource))
        for fact in truth.of(kind):
            # A document may be both a report and a document; that is not twice the same.
            found = min(held[fact["id"]], 1) if kind == "document" else held[fact["id"]]
            result.add(kind, found, fact["id"], right=kind != "visit" or _has_status(record["Encounter"], fact))
    for kind, name in BY_CODE.items():
        codes = {code for resource in record[name] for code in _codes(resource.get("code", {}))}
        for code in {fact["code"] for fact in truth.of(kind)}:
            result.add(kind, int(code in codes), code)
    _compare_results(truth.of("result"), record["Observation"], result)


def _has_status(encounters: list[Json], visit: Json) -> bool:
    """Tell whether the visit ended as it did in truth; a cancelled one may also be called an error."""
    same = {"cancelled": {"cancelled", "entered-in-error"}}.get(visit["status"], {visit["status"]})
    return any(one["status"] in same for one in encounters if visit["id"] in _identifiers(one))


def _identifiers(resource: Json) -> set[str]:
    listed = [*resource.get("identifier", []), resource.get("masterIdentifier", {})]
    return {identifier["value"] for identifier in listed if "value" in identifier}


def _codes(concept: Json) -> list[str]:
    return [coding["code"] for coding in concept.get("coding", []) if "code" in coding]


def _compare_results(facts: Iterable[Json], observations: list[Json], result: Score) -> None:
    held: dict[tuple[str, int], list[str]] = defaultdict(list)
    for observation in observations:
        at = _second(observation.get("effectiveDateTime") or observation.get("effectivePeriod", {}).get("start"))
        for part in [observation, *observation.get("component", [])]:
            for code in set(_codes(part.get("code", {}))):
                held[(code, at)].append(_value(part))
    for fact in facts:
        found = next((held[key] for code in fact["codes"] if (key := (code, _second(fact["at"]))) in held), [])
        right = bool(found) and _same(found[0], fact["value"])
        result.add(
            "result",
            len(found),
            f"{fact['id']} {fact['value']}≠{found[0]}" if found and not right else fact["id"],
            right=right,
        )


def _second(text: str | None) -> int:
    return int(datetime.fromisoformat(text).timestamp()) if text and "T" in text else 0


def _value(part: Json) -> str:
    quantity = part.get("valueQuantity", {})
    concept = part.get("valueCodeableConcept", {})
    return str(quantity.get("value", part.get("valueString", concept.get("text", part.get("valueInteger", "")))))


def _same(stored: str, printed: str) -> bool:
    """Compare as the laboratory prints: 1.50 is not 1.5."""
    try:
        return Decimal(stored) == Decimal(printed) and stored == printed
    except InvalidOperation:
        return stored == printed
