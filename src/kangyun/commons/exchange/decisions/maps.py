"""Segment maps: the rows of rules/hl7v2/segments compiled into closures, `target element <- field, converter`.

A row is `{from: PID-8, to: gender, as: code, table: sex}`; other keys are options of the converter. A row without
`from` gives a constant `value`. `to` is a path such as `period.start` or `reaction.0.description`; what is already
there stays, lists grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.decisions import people, results, values
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.model import Fault

_PACKAGE = "kangyun.commons.exchange"

Converter = Callable[[Segment, int, Sheet, dict[str, Any]], Any]

CONVERTERS: dict[str, Converter] = {
    **values.CONVERTERS,
    **{
        function.__name__: function
        for function in (
            people.names, people.mother, people.addresses, people.telecoms, people.identifiers, people.social_number,
            results.result_status, results.interpretations, results.reference_range,
        )
    },
}  # fmt: skip


# Converters whose result follows from the field, the sender and the row alone, and of which messages are full.
_REPEATED = {
    "code", "coded", "coding", "concepts", "result_status", "interpretations", "category", "date", "datetime", "instant",
}  # fmt: skip
_MOST_KEPT, _LONG = 4096, 200


@dataclass(frozen=True, slots=True)
class SegmentMap:
    """One compiled segment map."""

    segment: str
    resource: str
    rows: tuple[_Row, ...]
    about: str = ""
    visit: str = ""

    def apply(self, segment: Segment, sheet: Sheet) -> dict[str, Any]:
        """The resource that the segment describes. Raises Fault, naming the field."""
        resource: dict[str, Any] = {"resourceType": self.resource}
        fields = segment.fields
        count = len(fields)
        for row in self.rows:
            # Most fields of most messages are empty.
            if row.always or (row.field < count and fields[row.field]):
                row.apply(segment, sheet, resource)
        return resource


@dataclass(frozen=True, slots=True)
class _Row:
    segment: str
    field: int
    path: tuple[str, ...]
    convert: Converter | None
    options: dict[str, Any]
    required: bool
    always: bool
    memo: dict[tuple[Sender, str], Any] | None

    def apply(self, segment: Segment, sheet: Sheet, resource: dict[str, Any]) -> None:
        if self.convert is None:
            put(resource, self.path, self.options["value"])
            return
        raw = segment.raw(self.field)
        found = self._found(raw, segment, sheet, self.convert) if raw or "empty" in self.options else None
        # False and 0 are values.
        if found or found is False or found.__class__ is int:
            put(resource, self.path, found)
        elif self.required:
            raise Fault("exchange.missing-field", f"{self.segment}-{self.field}", code="101")

    def _found(self, raw: str, segment: Segment, sheet: Sheet, convert: Converter) -> Any:
        """What the field says; the same codes come in every message, so that they are read once."""
        memo = self.memo if segment.delimiters.usual and len(raw) < _LONG else None
        key = (sheet.sender, raw)
        if memo is not None and key in memo:
            return memo[key]
        try:
            found = convert(segment, self.field, sheet, self.options)
        except Fault as fault:
            fault.place = f"{self.segment}-{self.field}"
            raise
        if memo is not None:
            if len(memo) >= _MOST_KEPT:
                memo.clear()
            memo[key] = found
        return found


def put(resource: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value at a path: what is there stays, lists grow, constants are copied by their caller's JSON."""
    if len(path) == 1 and value.__class__ is not list:
        resource.setdefault(path[0], value)
        return
    node: Any = resource
    for step, following in pairwise(path):
        node = _descend(node, step, [] if following.isdecimal() else {})
    last = path[-1]
    if isinstance(node, list):
        node.extend([value] if len(node) <= int(last) else [])
    elif not isinstance(value, list):
        node.setdefault(last, value)
    elif isinstance(node.get(last), list):
        node[last].extend(value)
    else:
        # A list may grow, and must not do so for everybody who has read the same field.
        node.setdefault(last, list(value))


def _descend(node: Any, step: str, empty: Any) -> Any:
    if not isinstance(node, list):
        return node.setdefault(step, empty)
    while len(node) <= int(step):
        node.append({})
    return node[int(step)]


def segment_map(name: str, sender: Sender) -> SegmentMap:
    """The map `rules/hl7v2/segments/<name>.yaml`, with the sender's own rows before it."""
    rule = rules.load(_PACKAGE, f"hl7v2/segments/{name}.yaml")
    # Senders without rows of their own share one map, so that invented names fill no memory.
    key = (name, sender.key if sender.rows else "")
    known = _maps.get(key)
    # A rule that has changed, by its date or by the region, is another object.
    if known is None or known[0] is not rule or known[1] is not sender.rows:
        known = _maps[key] = (rule, sender.rows, compiled(rule, sender))
    return known[2]


_maps: dict[tuple[str, str], tuple[rules.Rule, tuple[Mapping[str, Any], ...], SegmentMap]] = {}


def compiled(rule: rules.Rule, sender: Sender) -> SegmentMap:
    """A rule compiled for a sender, whose own rows come first."""
    segment, resource = str(rule.body["segment"]), str(rule.body["resource"])
    own = [row for row in sender.rows if str(row.get("from", "")).startswith(f"{segment}-")]
    replaced = {str(row["to"]) for row in own if row.get("replace")}
    rows = [*own, *(row for row in rule.table if str(row["to"]) not in replaced)]
    about, visit = str(rule.body.get("about", "")), str(rule.body.get("visit", ""))
    return SegmentMap(segment, resource, tuple(_row(row) for row in rows), about, visit)


def told(name: str, segment: Segment, sheet: Sheet) -> dict[str, Any]:
    """The resource that a segment describes, with the resident and the visit under the elements that the map names.

    Raises Fault, naming the field.
    """
    known = segment_map(name, sheet.sender)
    found = known.apply(segment, sheet)
    if known.about:
        found[known.about] = sheet.subject
    if known.visit and sheet.visit:
        found[known.visit] = sheet.visit.reference
    return found


def _row(row: Mapping[str, Any]) -> _Row:
    options = {key: value for key, value in row.items() if key not in {"from", "to", "as", "required"}}
    path = tuple(str(row["to"]).split("."))
    if "from" not in row:
        return _Row("", 0, path, None, options, required=False, always=True, memo=None)
    segment, field = str(row["from"]).split("-")
    required = bool(row.get("required"))
    always = required or "empty" in options
    kind = str(row.get("as", "text"))
    return _Row(segment, int(field), path, CONVERTERS[kind], options, required, always, {} if kind in _REPEATED else None)
