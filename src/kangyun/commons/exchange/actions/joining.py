"""From drafts to writes: each draft joins what the record already holds under its id."""

from __future__ import annotations

from typing import Any

from kangyun.commons.access import Handle, Write
from kangyun.commons.exchange.actions.coding import coder_of
from kangyun.commons.exchange.decisions import directory, results, visits
from kangyun.commons.exchange.decisions.builders import provenance
from kangyun.commons.exchange.decisions.drafts import Draft, Sheet
from kangyun.commons.exchange.decisions.translate import settle
from kangyun.commons.exchange.queries import current

# Directory entries seen by this process; they are written once and then only referred to.
_seen: set[tuple[str, str]] = set()
_MOST_SEEN = 50_000
_CHOICE = {"occurrenceDateTime", "occurrenceTiming", "occurrencePeriod"}


async def writes_of(handle: Handle, sheet: Sheet, resident: str, number: int, recorded: str) -> list[Write]:
    """The writes of a message for a resident who is known; what would change nothing is left out.

    `number` is the raw message's, `recorded` when it was received (FHIR instant).
    """
    trace = sheet.add(provenance(sheet, number, [], recorded), "raw", str(number))
    settled = settle(sheet, resident)
    coded = await coder_of(handle.database).code(handle, sheet.sender.key, [draft.resource for draft in sheet.drafts])
    for draft, resource in zip(sheet.drafts, coded, strict=True):
        draft.resource = resource
    places = [(draft.type, id_) for draft, (id_, _) in zip(sheet.drafts, settled, strict=True)]
    wanted = _wanted(sheet.drafts, places)
    held = await _held(handle, sheet.drafts, wanted)
    writes: list[Write] = []
    for draft, place in zip(sheet.drafts, places, strict=True):
        if draft is not trace and place in wanted:
            writes += _write(draft, place, held.get(place), sheet.sender.urn)
    # A message about the directory itself is about nobody.
    telling = [write for write in writes if write.type not in _DIRECTORY or not resident]
    targets = [{"reference": f"{write.type}/{write.id}"} for write in telling]
    whose = [{"reference": f"Patient/{resident}"}] if resident else []
    if not whose and not targets:
        return writes
    trace.resource["target"] = [*whose, *targets]
    return [*writes, Write("update", "Provenance", trace.resource, id=places[sheet.drafts.index(trace)][1])]


_DIRECTORY = {"Organization", "Practitioner", "Location"}


def noted(writes: list[Write]) -> None:
    """Remember the directory entries that are now in the record, once their commit has succeeded."""
    if len(_seen) > _MOST_SEEN:
        _seen.clear()
    _seen.update((write.type, str(write.id)) for write in writes if write.type in _DIRECTORY)


def forget() -> None:
    """Forget the directory entries seen, for tests with several databases."""
    _seen.clear()


def _wanted(drafts: list[Draft], places: list[tuple[str, str]]) -> set[tuple[str, str]]:
    return {place for draft, place in zip(drafts, places, strict=True) if not (draft.join == "keep" and place in _seen)}


async def _held(
    handle: Handle, drafts: list[Draft], wanted: set[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """What is there already. Results are asked for only where their report is: one without the other is never written."""
    first = {place for place in wanted if place[0] not in {"Observation", "Provenance", "Specimen"}}
    held = await current(handle, first)
    grouped = any(draft.type == "DiagnosticReport" for draft in drafts)
    if grouped and not any(type_ == "DiagnosticReport" for type_, _ in held):
        return held
    return held | await current(handle, {place for place in wanted if place[0] in {"Observation", "Specimen"}})


def _write(draft: Draft, place: tuple[str, str], held: dict[str, Any] | None, source: str) -> list[Write]:
    resource = _joined(draft, held)
    if resource is None:
        if draft.join == "keep":
            _seen.add(place)
        return []
    version = int(held["meta"]["versionId"]) if held else 0
    whole = {**resource, "id": place[1], "meta": {"source": source, **resource.get("meta", {})}}
    return [Write("update", place[0], whole, id=place[1], if_match=version)]


def _joined(draft: Draft, held: dict[str, Any] | None) -> dict[str, Any] | None:
    """The resource to be written; None when the record would not change."""
    bare = {key: value for key, value in held.items() if key not in {"id", "meta"}} if held else None
    news = draft.resource
    if draft.join == "visit":
        news = visits.join(bare, draft.resource, draft.event, waited=bool(draft.gone))
    elif bare is not None and draft.join == "result":
        if not results.is_newer(bare, draft.resource):
            return None
        if draft.type == "DiagnosticReport":
            news = _with_earlier_results(bare, draft.resource)
    elif draft.join == "list":
        news = directory.list_joined(bare or {}, draft)
    elif draft.join == "update":
        news = {**draft.fallback, **_without_rivals(bare or {}, draft.resource), **draft.resource}
    elif bare is not None and draft.join == "keep":
        # An institution that has moved in says itself what it is called; messages name it only.
        news = bare if draft.type == "Organization" and bare.get("type") else {**bare, **draft.resource}
    return None if news == bare else news


def _without_rivals(held: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """What is held, less the other forms of a choice that the news makes: FHIR allows one of them."""
    if not news.keys() & _CHOICE:
        return held
    return {key: value for key, value in held.items() if key not in _CHOICE}


def _with_earlier_results(held: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """A report whose results come in several messages keeps those of the earlier ones."""
    merged = dict(news)
    for name in ("result", "specimen", "presentedForm"):
        earlier = [one for one in held.get(name, []) if one not in news.get(name, [])]
        if earlier or name in news:
            merged[name] = [*earlier, *news.get(name, [])]
    return merged
