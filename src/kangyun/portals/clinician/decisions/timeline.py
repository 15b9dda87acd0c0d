"""One life in order: visits with what happened in them, newest first, each with the institution it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from kangyun.base.web.display import moment
from kangyun.portals.clinician.decisions.naming import Names, Node, concept, first, source_of, visit_of, words
from kangyun.portals.clinician.decisions.results import is_abnormal

KINDS = ("visit", "diagnosis", "medicine", "result", "procedure", "immunization", "document")
"""The filters of the timeline, in the order of their chips."""

TYPES = (
    "Encounter", "Condition", "MedicationRequest", "DiagnosticReport", "Procedure", "Immunization", "DocumentReference", "Observation",
)
"""The resource types that a timeline is made of."""

_STAYS = {"IMP", "ACUTE", "NONAC", "OBSENC"}
_EMERGENCY = {"EMER"}
_VISITS = {"stay", "emergency", "visit"}
_RESULTS = {"result", "measured"}
_KIND_OF_TYPE = {
    "Condition": "diagnosis", "MedicationRequest": "medicine", "DiagnosticReport": "result", "Procedure": "procedure",
    "Immunization": "immunization", "DocumentReference": "document", "Observation": "result",
}
_DATES = {
    "Encounter": ("period",), "Condition": ("onsetDateTime", "recordedDate"), "MedicationRequest": ("authoredOn",),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod", "issued"), "Procedure": ("performedDateTime", "performedPeriod"),
    "Immunization": ("occurrenceDateTime", "recorded"), "DocumentReference": ("date",), "Observation": ("effectiveDateTime", "effectivePeriod", "issued"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that happened: its kind, what it is called, where its whole content can be opened, whether a result in it is abnormal."""

    kind: str
    text: str
    href: str = ""
    abnormal: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One visit or one thing outside of any visit; ``shape`` is stay, emergency, visit or a kind."""

    shape: str
    when: str
    until: str
    title: str
    source: str
    parts: tuple[Part, ...]
    department: str = ""


@dataclass(frozen=True, slots=True)
class Year:
    """The entries of one year, newest first."""

    year: int
    entries: tuple[Entry, ...]


def entries(resources: Iterable[Node], names: Names, language: str) -> list[Entry]:
    """Order a life, newest first; what carries no date is left to the lists of the record."""
    everything = [one for one in resources if one.get("status") != "entered-in-error"]
    visits = {f"Encounter/{one['id']}": one for one in everything if one["resourceType"] == "Encounter"}
    reported = {reference["reference"] for one in everything if one["resourceType"] == "DiagnosticReport" for reference in one.get("result", []) if "reference" in reference}
    abnormal = {f"Observation/{one['id']}" for one in everything if one["resourceType"] == "Observation" and is_abnormal(one)}
    inside: dict[str, list[Node]] = {}
    alone: list[Node] = []
    for one in everything:
        place = visit_of(one)
        if one["resourceType"] in _KIND_OF_TYPE and f"Observation/{one['id']}" not in reported:
            (inside.setdefault(place, []) if place in visits else alone).append(one)
    found = [_visit(visit, inside.get(reference, []), names, language, abnormal) for reference, visit in visits.items()]
    found += _alone(alone, names, language)
    dated = [(str(when), entry) for entry in found if (when := moment(entry.when))]
    return [entry for _, entry in sorted(dated, key=lambda one: one[0], reverse=True)]


def _visit(visit: Node, inside: list[Node], names: Names, language: str, abnormal: AbstractSet[str]) -> Entry:
    period = visit.get("period", {})
    parts = tuple(_parts(inside, language, abnormal))
    return Entry(
        shape=_shape(visit),
        when=period.get("start") or period.get("end") or "",
        until=period.get("end", ""),
        title=_reason(visit, inside, parts, language),
        source=source_of(visit, names),
        parts=parts,
        department=words(visit.get("serviceType"), language),
    )


def _shape(visit: Node) -> str:
    code = visit.get("class", {}).get("code", "")
    return "stay" if code in _STAYS else "emergency" if code in _EMERGENCY else "visit"


def _reason(visit: Node, inside: list[Node], parts: Iterable[Part], language: str) -> str:
    """Title a visit by why the person came: the reason, else the diagnosis, its type, or the one thing that was done."""
    reasons = [concept(reason, language) for reason in visit.get("reasonCode", [])]
    diagnoses = [concept(one.get("code"), language) for one in inside if one["resourceType"] == "Condition"]
    types = [concept(kind, language) for kind in visit.get("type", [])]
    done = [part.text for part in parts if part.kind != "measured"]
    return next((text for text in [*reasons, *diagnoses, *types, *(done if len(done) == 1 else [])] if text), "")


def _parts(inside: Iterable[Node], language: str, abnormal: AbstractSet[str]) -> Iterator[Part]:
    """List what happened in a visit by kind; a report sent again as document stands once; loose observations are counted."""
    ordered = sorted(inside, key=lambda one: (KINDS.index(_KIND_OF_TYPE[one["resourceType"]]), when_of(one)))
    loose = [one for one in ordered if one["resourceType"] == "Observation"]
    papers = {_part(one, language, abnormal).text for one in ordered if one["resourceType"] == "DocumentReference"}
    seen: set[tuple[str, str]] = set()
    for one in ordered:
        part = _part(one, language, abnormal)
        again = (part.kind, part.text) in seen or (part.kind == "result" and part.text in papers)
        if one["resourceType"] != "Observation" and part.text and not again:
            seen.add((part.kind, part.text))
            yield part
    if loose:
        yield Part("measured", str(len(loose)), abnormal=any(f"Observation/{one['id']}" in abnormal for one in loose))


def _part(resource: Node, language: str, abnormal: AbstractSet[str] = frozenset()) -> Part:
    kind = resource["resourceType"]
    code = {
        "MedicationRequest": "medicationCodeableConcept", "Immunization": "vaccineCode", "DocumentReference": "type",
    }.get(kind, "code")
    text = concept(resource.get(code), language) or resource.get("description", "")
    href = f"{kind}/{resource['id']}" if kind in {"DiagnosticReport", "DocumentReference"} else ""
    marked = any(result.get("reference") in abnormal for result in resource.get("result", []))
    return Part(_KIND_OF_TYPE[kind], text, href, marked)


def when_of(resource: Node) -> str:
    """When something took place or was written down, by its type; empty where nothing says it."""
    return first(resource, *_DATES[resource["resourceType"]])


def _alone(resources: Iterable[Node], names: Names, language: str) -> Iterator[Entry]:
    """Things outside of any visit; loose observations of one moment and source become one entry."""
    measured: dict[tuple[str, str], int] = {}
    for one in resources:
        when, source = when_of(one), source_of(one, names)
        if one["resourceType"] == "Observation":
            measured[when, source] = measured.get((when, source), 0) + 1
        else:
            part = _part(one, language)
            yield Entry(part.kind, when, "", part.text, source, (part,) if part.href else ())
    for (when, source), count in measured.items():
        yield Entry("result", when, "", "", source, (Part("measured", str(count)),))


def chosen(everything: Iterable[Entry], kind: str) -> list[Entry]:
    """Keep the entries of one kind, showing only the parts of that kind; every entry when the kind is not one."""
    if kind not in KINDS:
        return list(everything)
    kept = [entry for entry in everything if _is_of(entry, kind)]
    if kind == "visit":
        return kept
    wanted = _shown_with(kind)
    return [replace(entry, parts=tuple(part for part in entry.parts if part.kind in wanted)) for entry in kept]


def _is_of(entry: Entry, kind: str) -> bool:
    if kind == "visit":
        return entry.shape in _VISITS
    return entry.shape == kind or not _shown_with(kind).isdisjoint(part.kind for part in entry.parts)


def _shown_with(kind: str) -> AbstractSet[str]:
    return _RESULTS if kind == "result" else {kind}


def by_year(ordered: Iterable[Entry]) -> list[Year]:
    """Group entries by the year in China's time, newest first."""
    years: dict[int, list[Entry]] = {}
    for entry in ordered:
        when = moment(entry.when)
        if when:
            years.setdefault(when.year, []).append(entry)
    return [Year(year, tuple(inside)) for year, inside in sorted(years.items(), reverse=True)]


def not_before(ordered: Iterable[Entry], year: int) -> list[Entry]:
    """Keep the entries of a year and those after it, in China's time."""
    return [entry for entry in ordered if (when := moment(entry.when)) and when.year >= year]


def first_years(years: list[Year], least: int, before: int | None = None) -> tuple[list[Year], int | None]:
    """Take whole years until ``least`` entries are shown; also return the year from which the rest begins, or ``None``."""
    older = [year for year in years if before is None or year.year <= before]
    shown: list[Year] = []
    while len(shown) < len(older) and sum(len(year.entries) for year in shown) < least:
        shown.append(older[len(shown)])
    rest = older[len(shown) :]
    return shown, rest[0].year if rest else None


@dataclass(frozen=True, slots=True)
class Bar:
    """One year of the lifeline: how much happened, as a share of the busiest year, and whether there was a stay."""

    year: int
    count: int
    share: float
    stays: int


def lifeline(ordered: Iterable[Entry], born: str, today: int) -> list[Bar]:
    """Count entries for every year from birth (or the first entry) to now, so that gaps are seen as gaps."""
    years = [(when.year, entry.shape == "stay") for entry in ordered if (when := moment(entry.when))]
    if not years:
        return []
    counts, stays = Counter(year for year, _ in years), Counter(year for year, stay in years if stay)
    start = moment(born)
    begin = min([year for year, _ in years] + ([start.year] if start else []))
    busiest = max(counts.values())
    return [Bar(year, counts[year], round(counts[year] / busiest, 3), stays[year]) for year in range(begin, max(today, *counts) + 1)]


def counts_by_kind(everything: Iterable[Entry]) -> Mapping[str, int]:
    """Count the entries that each filter would show."""
    known = list(everything)
    return {kind: sum(_is_of(entry, kind) for entry in known) for kind in KINDS}
