"""The worked examples of this room's rule files, each run by the function that the rule serves."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions import codes, people, quantities, visits
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.maps import compiled
from kangyun.commons.exchange.decisions.message import Message, parse
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.translate import each_patient, settle, translate

_HEADER = "MSH|^~\\&|HIS|EXAMPLE|KANGYUN|YUNZHOU|20260301080000+0800||{}|1|P|2.5"
_JOINED = {"merge": "replaces", "change": "was", "link": "is one with", "unlink": "is not"}
_NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)


def check_example(rule: Rule, given: Any) -> Any:
    """What the rule says about the given; the shape of `given` depends on the kind of rule."""
    kind = rule.id.removeprefix("exchange.").rsplit(".", 1)[0]
    if rule.id == "exchange.hl7v2.visits":
        return visits.status_after(given["event"], ended=given.get("ended", False))
    if rule.id == "exchange.hl7v2.joints":
        return rule.map.get(given)
    if rule.id == "exchange.hl7v2.not_taken":
        return rule.map.get(given)
    if rule.id == "exchange.units":
        return quantities.ucum(given)
    if rule.id == "exchange.compound_surnames":
        family, rest = people.part_chinese_name(given)
        return [family, *rest]
    return {"hl7v2.segments": _segment, "codes": _code, "senders": _sender, "hl7v2": _message}[kind](rule, given)


def _segment(rule: Rule, given: str) -> dict[str, Any]:
    sheet = _sheet(given)
    found = compiled(rule, sheet.sender).apply(sheet.message.segments[1], sheet)
    del found["resourceType"]
    return _plain(found)


def _plain(value: Any) -> Any:
    """YAML knows no decimals: 3.9 in an example is a float."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return float(value) if isinstance(value, Decimal) else value




def _sheet(segment: str) -> Sheet:
    message = parse(_HEADER.format("ADT^A01") + "\r" + segment)
    return Sheet(message, sender_of("EXAMPLE"), "2026-03-01T08:00:00+08:00", None)


def _code(rule: Rule, given: str) -> Any:
    return rule.map.get(given)


def _sender(rule: Rule, given: dict[str, str]) -> Any:
    """`{identifier: CX, type: MR}` gives its system; `{table: sex, code: 1}` what the code means."""
    sender = sender_of(str(rule.value["key"]) if "key" in rule.value else "EXAMPLE")
    if "table" in given:
        return codes.find(given["table"], given["code"], sender)
    if "coding" in given:
        return codes.system_of(given["coding"], sender)
    segment = parse(_HEADER.format("ADT^A01") + "\rPID|1||" + given["identifier"]).segments[1]
    return people.identifier(segment, segment.raw(3), sender, given.get("type", ""))["system"]


def _message(_rule: Rule, given: list[str]) -> list[str]:
    """The resources that a message becomes, with their status, in order; people of the directory left out."""
    text = "\r".join([_HEADER.format(given[0]), *given[1:]])
    return [line for one in each_patient(parse(text)) for line in _lines(one)]


def _lines(message: Message) -> list[str]:
    sheet = translate(message, sender_of("EXAMPLE"), _NOON)
    written = [one for _, one in settle(sheet, "example")]
    skipped = {"Organization", "Practitioner", "Location"}
    shown = [one for one in written if one["resourceType"] not in skipped]
    merges = [f"Patient {_JOINED[one.kind]} {one.other[0]['value']}" for one in sheet.joints]
    return ["Patient" for _ in sheet.patients] + merges + [_shown(one) for one in shown]


def _shown(resource: dict[str, Any]) -> str:
    status = resource.get("status")
    return f"{resource['resourceType']} {status}" if isinstance(status, str) else str(resource["resourceType"])
