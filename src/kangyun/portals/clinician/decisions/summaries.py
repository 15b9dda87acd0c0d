"""The short lists of a record: problems, medicines, allergies, immunisations, documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kangyun.portals.clinician.decisions.naming import Names, Node, concept, first, preferred, source_of

_ACTIVE = {"active", "recurrence", "relapse"}
_MINUTES = {"s": 1 / 60, "min": 1, "h": 60, "d": 1440, "wk": 10080, "mo": 43200, "a": 525600}
_PLAIN_TEXT = ("text/plain", "text/markdown")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list.

    ``active`` ones stand first, ``severe`` ones are marked; ``count`` is how often it was stated, and ``key`` the name by
    which statements of different hospitals are the same one.
    """

    text: str
    detail: str
    when: str
    until: str
    source: str
    active: bool
    severe: bool = False
    count: int = 1
    key: str = ""


def _code(resource: Node, key: str) -> str:
    codings = (resource.get(key) or {}).get("coding", [])
    return codings[0].get("code", "") if codings else ""


def _merged(lines: Iterable[Line]) -> list[Line]:
    """Put the same statement of several visits into one line: the newest one, with how often it was made."""
    found: dict[tuple[str, bool], Line] = {}
    for line in sorted(lines, key=lambda line: line.when, reverse=True):
        known = found.get((line.key, line.active))
        merged = replace(known, count=known.count + 1, severe=known.severe or line.severe) if known else line
        found[line.key, line.active] = merged
    return sorted(found.values(), key=lambda line: not line.active)


def problems(conditions: Iterable[Node], names: Names, language: str, visits: Mapping[str, Node]) -> list[Line]:
    """List diagnoses: what is active first, then what is over; refuted and erroneous ones are left out.

    Hospitals never close the diagnosis of a visit. One that was made in a single visit is therefore listed as past, and
    so is a mere reason for contact such as a check-up (ICD-10 chapter XXI, codes Z00-Z99).
    """
    known = [one for one in conditions if _code(one, "verificationStatus") not in {"refuted", "entered-in-error"}]
    merged = _merged(line for line in (_problem(one, names, language, visits) for one in known) if line.text)
    lasting = {concept(one.get("code"), "zh") for one in known if not _is_of_visit(one)}
    settled = [replace(line, active=line.active and (line.key in lasting or line.count > 1)) for line in merged]
    return sorted(settled, key=lambda line: not line.active)


def _problem(one: Node, names: Names, language: str, visits: Mapping[str, Node]) -> Line:
    active = _code(one, "clinicalStatus") in _ACTIVE and not _is_contact_reason(one)
    return Line(
        text=concept(one.get("code"), language), detail="", when=first(one, "onsetDateTime", "onsetPeriod", "recordedDate"),
        until=first(one, "abatementDateTime"), source=source_of(one, names, visits), active=active, key=concept(one.get("code"), "zh"),
    )


def _is_of_visit(condition: Node) -> bool:
    codes = {coding.get("code") for category in condition.get("category", []) for coding in category.get("coding", [])}
    return codes == {"encounter-diagnosis"}


def _is_contact_reason(condition: Node) -> bool:
    codings = (condition.get("code") or {}).get("coding", [])
    return any("icd-10" in coding.get("system", "") and str(coding.get("code", "")).startswith("Z") for coding in codings)


def medicines(requests: Iterable[Node], names: Names, language: str, visits: Mapping[str, Node]) -> list[Line]:
    """List prescriptions: current ones first, each with its dose as written."""
    lines = [
        Line(
            text=concept(one.get("medicationCodeableConcept"), language) or (one.get("medicationReference") or {}).get("display", ""),
            detail=dosage(one.get("dosageInstruction", []), language), when=first(one, "authoredOn"), until="",
            source=source_of(one, names, visits), active=one.get("status") == "active", key=concept(one.get("medicationCodeableConcept"), "zh"),
        )
        for one in requests
        if one.get("status") != "entered-in-error"
    ]
    return _merged(line for line in lines if line.text)


def dosage(instructions: Iterable[Node], language: str) -> str:
    """Write the first dosage: its text where it has one, else amount, times and route from its parts."""
    for one in instructions:
        if one.get("text"):
            return one["text"]
        parts = [_amount(one), _times(one, language), concept(one.get("route"), language)]
        written = (" · " if language == "en" else "，").join(part for part in parts if part)
        if written:
            return written
    return ""


def _amount(instruction: Node) -> str:
    for one in instruction.get("doseAndRate", []):
        quantity = one.get("doseQuantity")
        if quantity:
            return f"{quantity.get('value', '')} {quantity.get('unit', '')}".strip()
    return ""


def _times(instruction: Node, language: str) -> str:
    repeat = (instruction.get("timing") or {}).get("repeat", {})
    frequency, period, unit = repeat.get("frequency"), repeat.get("period"), repeat.get("periodUnit")
    if not (frequency and period and unit in _MINUTES):
        return ""
    words: dict[str, Any] = {"zh": {"h": "小时", "d": "日", "wk": "周", "mo": "月"}, "en": {"h": "h", "d": "day", "wk": "week", "mo": "month"}}
    name = words[language].get(unit, unit)
    span = name if period == 1 else f"{period:g} {name}" if language == "en" else f"{period:g}{name}"
    return f"每{span} {frequency} 次" if language == "zh" else f"{frequency} × per {span}"


def allergies(intolerances: Iterable[Node], names: Names, language: str, visits: Mapping[str, Node]) -> list[Line]:
    """List allergies with their reactions; high criticality and severe reactions are marked."""
    lines = [_allergy(one, names, language, visits) for one in intolerances if _code(one, "verificationStatus") not in {"refuted", "entered-in-error"}]
    return sorted(_merged(line for line in lines if line.text), key=lambda line: (not line.active, not line.severe))


def _allergy(one: Node, names: Names, language: str, visits: Mapping[str, Node]) -> Line:
    reactions = one.get("reaction", [])
    manifested = [concept(what, language) for reaction in reactions for what in reaction.get("manifestation", [])]
    severe = one.get("criticality") == "high" or any(reaction.get("severity") == "severe" for reaction in reactions)
    return Line(
        text=concept(one.get("code"), language), detail=("、" if language == "zh" else ", ").join(dict.fromkeys(manifested)),
        when=first(one, "onsetDateTime", "recordedDate"), until="", source=source_of(one, names, visits),
        active=_code(one, "clinicalStatus") in {"active", ""}, severe=severe, key=concept(one.get("code"), "zh"),
    )


def immunizations(given: Iterable[Node], names: Names, language: str, visits: Mapping[str, Node]) -> list[Line]:
    """List vaccinations, newest first, the doses of one vaccine together."""
    lines = [
        Line(
            text=concept(one.get("vaccineCode"), language), detail=_dose(one), when=first(one, "occurrenceDateTime", "recorded"), until="",
            source=source_of(one, names, visits), active=True,
        )
        for one in given
        if one.get("status") == "completed"
    ]
    return sorted(lines, key=lambda line: line.when, reverse=True)


def _dose(immunization: Node) -> str:
    for one in immunization.get("protocolApplied", []):
        dose = one.get("doseNumberPositiveInt") or one.get("doseNumberString")
        if dose:
            return str(dose)
    return ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file of a document; ``text`` is filled for plain text, which is shown in place."""

    number: int
    media_type: str
    title: str
    node: Node


@dataclass(frozen=True, slots=True)
class Document:
    """A report or document with its files; ``reference`` is ``DiagnosticReport/7``."""

    reference: str
    title: str
    when: str
    source: str
    conclusion: str
    files: tuple[Attachment, ...]


def documents(resources: Iterable[Node], names: Names, language: str, visits: Mapping[str, Node]) -> list[Document]:
    """List what can be opened and read, newest first: documents, and reports that carry a file or a conclusion."""
    made = [document(one, names, language, visits) for one in resources if one.get("status") not in {"entered-in-error", "superseded"}]
    filled = [one for one in made if one.files or one.conclusion]
    # A hospital that sends a report both as result and as document means one paper; documents come first in the input.
    once = {(one.title, one.when[:10], one.source): one for one in reversed(filled)}
    return sorted(once.values(), key=lambda one: one.when, reverse=True)


def document(resource: Node, names: Names, language: str, visits: Mapping[str, Node]) -> Document:
    """Read a DiagnosticReport or DocumentReference."""
    if resource["resourceType"] == "DocumentReference":
        contents = [one["attachment"] for one in resource.get("content", []) if "attachment" in one]
        title = concept(resource.get("type"), language) or resource.get("description", "")
    else:
        contents, title = resource.get("presentedForm", []), concept(resource.get("code"), language)
    files = tuple(
        Attachment(number, one.get("contentType", "application/octet-stream"), one.get("title", ""), one) for number, one in enumerate(contents)
    )
    return Document(
        reference=f"{resource['resourceType']}/{resource['id']}",
        title=title or preferred([file.title for file in files if file.title], language),
        when=first(resource, "effectiveDateTime", "effectivePeriod", "issued", "date"),
        source=source_of(resource, names, visits),
        conclusion=resource.get("conclusion", ""),
        files=files,
    )


def is_plain_text(media_type: str) -> bool:
    """Say whether a file is shown in place rather than opened."""
    return media_type.partition(";")[0].strip() in _PLAIN_TEXT
