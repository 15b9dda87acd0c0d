"""One row to drafts: its cells are read, judged together, and put into the templates of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kangyun.base.naming import named_id
from kangyun.commons.exchange.decisions import quantities
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.decisions.tables import people
from kangyun.commons.exchange.decisions.tables.cells import CONVERTERS, Column, is_empty, is_formula
from kangyun.commons.exchange.decisions.tables.grids import Row
from kangyun.commons.exchange.decisions.tables.kinds import Kind, Make
from kangyun.commons.exchange.model import Fault, Reason

_NAMESPACE = UUID("2b8e5b0a-4c0e-5f4e-9d51-1115c0de2026")

_REPEATED = {"code", "coded", "several", "flag", "age"}
_MOST_SEEN = 2000
_WHOLE_DAY = len("2026-03-01")

__all__ = ["Bad", "Fault", "Good", "Reader", "Unnumbered"]


# The seed that tells a resource of a row from the others, whether it outlasts the row's date, the reference that others
# share, and the resource.
Draft = tuple[str, bool, dict[str, Any], dict[str, Any]]


@dataclass(slots=True)
class Bad:
    """A row that cannot be stored, by its number in the file (from 0), and why: the column's place and the reason."""

    row: int
    column: int
    reason: Reason


@dataclass(slots=True)
class Good:
    """A row on its way to the record: its Patient, and resources whose ids are fixed once the Patient's is known."""

    row: int
    patient: dict[str, Any]
    drafts: list[Draft]
    subject: dict[str, Any]
    when: str
    seed: str = ""
    # What the row is about happened within these two moments; none where it tells no day.
    told: tuple[datetime, datetime] | None = None
    # The sender has told of a later day of this resident: the row may only add what is missing.
    late: bool = False

    def lasting(self) -> set[tuple[str, str]]:
        """Which of the settled resources outlast the day that the row is about, so that an older row could undo a newer one."""
        return {(one["resourceType"], one["id"]) for _, lasting, _, one in self.drafts if lasting or not self.when}

    def settle(self, patient: str) -> list[dict[str, Any]]:
        """The resources with their ids, which follow from sender, kind, resident and what the row is about."""
        self.subject["reference"] = f"Patient/{patient}"
        found: list[dict[str, Any]] = []
        for seed, lasting, reference, resource in self.drafts:
            type_ = resource["resourceType"]
            when = "" if lasting else self.when
            resource["id"] = named_id(_NAMESPACE, f"{self.seed}|{patient}|{when}|{seed}|{type_}")
            reference["reference"] = f"{type_}/{resource['id']}"
            found.append(resource)
        return found


@dataclass(slots=True)
class Unnumbered(Bad):
    """A row that names its resident without any number: stored when its sender's own residents tell whose it is.

    `told` are the values of its columns, `whole` the row once it has its Patient.
    """

    told: Mapping[str, Any]
    whole: Good


class Reader:
    """Reads the rows of one sheet; `columns` gives the place of each known column."""

    def __init__(self, kind: Kind, columns: Mapping[int, str], sender: Sender, organization: dict[str, Any], today: str) -> None:
        self._kind = kind
        self._sender = sender
        self._organization = organization
        self._today = today
        self._readers = [(place, kind.columns[name], CONVERTERS[kind.columns[name].kind]) for place, name in columns.items()]
        self._places = {name: place for place, name in columns.items()}
        self.defaults: dict[str, Any] = {}
        # Coded columns say the same few words again and again.
        self._seen: list[dict[Any, Any] | None] = [{} if column.kind in _REPEATED else None for _, column, _ in self._readers]

    def read(self, number: int, row: Row, formulas: frozenset[tuple[int, int]]) -> Good | Bad:
        """The row as drafts, or the first cell that keeps it from being stored."""
        values: dict[str, Any] = dict(self.defaults)
        width = len(row)
        for (place, column, convert), seen in zip(self._readers, self._seen, strict=True):
            if place >= width:
                continue
            cell = row[place]
            if seen is not None and cell in seen and not formulas:
                _take(values, column, seen[cell])
                continue
            # A formula whose result nobody has kept looks empty, and is none the less what the row was meant to say.
            if formulas and (number, place) in formulas:
                return Bad(number, place, Reason("exchange.formula"))
            if is_empty(cell):
                continue
            if is_formula(cell):
                return Bad(number, place, Reason("exchange.formula"))
            try:
                found = convert(cell, column, self._sender)
            except Fault as fault:
                return Bad(number, place, Reason(fault.key, "", fault.params, fault.code))
            _take(values, column, found)
            if seen is not None and len(seen) < _MOST_SEEN:
                seen[cell] = found
        return self._judged(number, values)

    def _judged(self, number: int, values: dict[str, Any]) -> Good | Bad:
        against = people.contradiction(values, self._today)
        if against:
            return Bad(number, self._places.get(against[0], 0), Reason(against[1], code="102"))
        for name in self._kind.required:
            if name not in values:
                return Bad(number, self._places[name], Reason("exchange.missing-field", code="101"))
        if self._today < str(values.get("date", ""))[:10]:
            return Bad(number, self._places["date"], Reason("exchange.in-the-future", code="102"))
        try:
            patient = people.patient_of(values, self._sender)
        except Fault as fault:
            return self._unnumbered(number, values, Reason(fault.key, "", fault.params, fault.code))
        return self._made(number, values, patient)

    def _unnumbered(self, number: int, values: dict[str, Any], reason: Reason) -> Bad:
        place = self._places.get("id_number", self._places.get("name", 0))
        if self._kind.registers or "name" not in values:
            return Bad(number, place, reason)
        whole = self._made(number, values, {})
        return Unnumbered(number, place, reason, values, whole)

    def _made(self, number: int, values: dict[str, Any], patient: dict[str, Any]) -> Good:
        subject: dict[str, Any] = {"reference": ""}
        patient["managingOrganization"] = self._organization
        values["subject"] = subject
        values["sender"] = self._organization
        if "date" not in values and "recorded" in values:
            values["date"] = values["recorded"]
        for pair in self._kind.pairs:
            _paired(values, pair)
        if self._kind.results:
            values["items"] = f"{self._sender.urn}:codes:items"
            _measured(values, self._kind.results)
        active = [make for make in self._kind.makes if not make.when or any(name in values for name in make.when)]
        for make in active:
            if not make.each:
                values[f"@{make.seed}"] = {"reference": ""}
        drafts = [draft for make in active for draft in _drafts(make, values)]
        when = "" if self._kind.once else "|".join(str(values[name]) for name in ("number", "date", "item_code", "item") if name in values)
        told = day_of(str(values.get("recorded") or values.get("date") or ""), self._sender)
        return Good(number, patient, drafts, subject, when, f"tables|{self._sender.key}|{self._kind.name}", told)


def day_of(text: str, sender: Sender) -> tuple[datetime, datetime] | None:
    """From when until when a FHIR date or dateTime lasts, at the sender; None for months, years and nothing."""
    if len(text) < _WHOLE_DAY:
        return None
    start = datetime.fromisoformat(text)
    if start.tzinfo is None:
        start = start.replace(tzinfo=sender.zone)
    return start, start + timedelta(days=1) if len(text) == _WHOLE_DAY else start


def _take(values: dict[str, Any], column: Column, found: Any) -> None:
    if found is None or found == []:
        return
    if "into" in column.options:
        values.update(found)
    else:
        values[column.name] = found


def _drafts(make: Make, values: dict[str, Any]) -> list[Draft]:
    if not make.each:
        resource = make.fill(values)
        return [(make.seed, make.lasting, values[f"@{make.seed}"], resource)] if resource else []
    found: list[Draft] = []
    for item in values.get(make.each, ()):
        resource = make.fill({**values, "item": item})
        if resource:
            found.append((f"{make.seed}|{_key(item)}", make.lasting, {}, resource))
    return found


def _key(item: Any) -> str:
    return str(item["coding"][0]["code"] if item.get("coding") else item["text"]) if isinstance(item, dict) else str(item)


def _paired(values: dict[str, Any], pair: Mapping[str, str]) -> None:
    """A code and a text that stand in two columns are one concept."""
    code, texts = values.get(pair["codes"]), values.get(pair["texts"])
    if not code:
        return
    told = str(texts[0]["text"]) if texts else str(code)
    coding = {"system": pair["system"], "code": str(code), **({"display": told} if texts else {})}
    first = {"coding": [coding], "text": told}
    values[pair["texts"]] = [first, *(texts[1:] if texts else [])]


def _measured(values: dict[str, Any], names: Mapping[str, str]) -> None:
    """A result with its unit and range, each from a column of its own."""
    told, unit = str(values.get(names["value"], "")), str(values.get(names["unit"], ""))
    try:
        values["quantity"] = quantities.quantity(told, unit)
    except Fault:
        values["words"] = told
    if names["range"] in values:
        values["reference"] = quantities.reference_range(str(values[names["range"]]), unit)
    code, text = values.get(names["code"]), values.get(names["item"])
    shown = str(text or code)
    coding = {"system": values["items"], "code": " ".join(str(code or text).split()), "display": shown}
    values["item_concept"] = {"coding": [coding], "text": shown}
