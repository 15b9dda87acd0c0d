"""A change of the record to a message: the rule of rules/hl7v2_out names the segments, and what must be read for them.

A message rule: `resource` is what changes; `gather` names further resources and the element of the changed one that
refers to them; the table has a row `{segment: OBX, of: results}` for each segment, in order. A segment rule has rows
`{to: PID-5, from: name, as: xpn}`; `from` is a path, `from: .` the resource itself, no `from` a constant `value`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.outbound.fields import CONVERTERS, Converter, escape
from kangyun.commons.exchange.decisions.outbound.receivers import Receiver

_PACKAGE = "kangyun.commons.exchange"


@dataclass(slots=True)
class Story:
    """What a message tells: the changed resource under `focus`, the gathered ones by their names, people by reference."""

    parts: dict[str, list[dict[str, Any]]]
    people: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    version: int = 1


@dataclass(frozen=True, slots=True)
class _Row:
    field: int
    path: tuple[str, ...]
    convert: Converter | None
    options: Mapping[str, Any]


def gathering(message: str) -> dict[str, str]:
    """What to read for a message: name -> path of the references in the changed resource."""
    return {str(k): str(v) for k, v in _rule(message).body.get("gather", {}).items()}


def wants_before(message: str) -> bool:
    """Whether a message tells of the version before the change as well, under the name `before`."""
    return bool(_rule(message).body.get("before"))


def references(resource: dict[str, Any], path: str) -> list[str]:
    """The literal references under a path, such as Patient/7; `participant.actor@Patient` takes those to one type."""
    path, _, only = path.partition("@")
    found = (one.get("reference") for one in nodes(resource, tuple(path.split("."))) if isinstance(one, dict))
    return [one for one in found if isinstance(one, str) and one.startswith(only) and "/" in one]


def resource_of(message: str) -> str:
    """The type of resource whose change a message tells."""
    return str(_rule(message).body["resource"])


def _rule(message: str) -> Rule:
    return rules.load(_PACKAGE, f"hl7v2_out/{message}.yaml")


def nodes(resource: Any, path: tuple[str, ...]) -> list[Any]:
    """All that stands under a path; lists are opened, a number takes one of a list."""
    found: list[Any] = [resource]
    for step in path:
        if step.isdecimal():
            found = found[int(step) : int(step) + 1]
            continue
        found = [one[step] for one in found if isinstance(one, dict) and step in one]
        found = [each for one in found for each in (one if isinstance(one, list) else [one])]
    return found


def compose(message: str, story: Story, receiver: Receiver, control_id: str, stamp: str) -> str | None:
    """The text of a message with CR ends; None where the rule says that this state is nothing to tell.

    `stamp` is MSH-7. The first part of the story is the resource that changed.
    """
    rule = _rule(message)
    kind = _kind(rule, story)
    if kind is None:
        return None
    event = kind.split("^")[1]
    lines = [_header(receiver, kind, control_id, stamp)]
    if rule.body.get("evn"):
        occurred = nodes(story.parts["focus"][0], ("meta", "lastUpdated"))
        when = CONVERTERS["dtm"](occurred, {}, {}) or stamp
        lines.append(f"EVN|{event}|{when}")
    for row in rule.table:
        for number, resource in enumerate(_subjects(row, story), 1):
            line = _segment(row, resource, number, story)
            if line:
                lines.append(line)
    return "\r".join(lines) + "\r"


def _subjects(row: Mapping[str, Any], story: Story) -> list[dict[str, Any]]:
    found = story.parts.get(str(row.get("of", "focus")), [])
    inside = row.get("each")
    return [one for whole in found for one in nodes(whole, tuple(str(inside).split(".")))] if inside else found


def _kind(rule: Rule, story: Story) -> str | None:
    """The message type: fixed, or by the version or an element of the changed resource."""
    told = rule.body["message"]
    if isinstance(told, str):
        return told
    if "first" in told:
        return str(told["first"] if story.version == 1 else told["later"])
    found = nodes(story.parts["focus"][0], tuple(str(told["by"]).split(".")))
    kind = next((told["map"][one] for one in found if one in told["map"]), told.get("otherwise"))
    return str(kind) if kind else None


def _header(receiver: Receiver, kind: str, control_id: str, stamp: str) -> str:
    return "|".join([
        "MSH", "^~\\&", "KANGYUN", escape(receiver.own_facility), escape(receiver.application), escape(receiver.facility),
        stamp, "", kind, control_id, "P", receiver.version, "", "", "AL", "NE", "CHN", receiver.charset,
    ])  # fmt: skip


def _segment(row: Mapping[str, Any], resource: dict[str, Any], number: int, story: Story) -> str:
    name = str(row["segment"])
    fields: dict[int, str] = {}
    for one in _rows(str(row.get("map", name.lower()))):
        found = one.convert(nodes(resource, one.path), one.options, story.people) if one.convert else str(one.options["value"])
        if found and not fields.get(one.field):
            fields[one.field] = found
    if not fields:
        return ""
    if row.get("numbered"):
        fields[1] = str(number)
    return "|".join([name, *(fields.get(n, "") for n in range(1, max(fields) + 1))])


def _rows(name: str) -> tuple[_Row, ...]:
    return _compiled(rules.load(_PACKAGE, f"hl7v2_out/segments/{name}.yaml").file, name)


@lru_cache(maxsize=128)
def _compiled(_file: object, name: str) -> tuple[_Row, ...]:
    rule = rules.load(_PACKAGE, f"hl7v2_out/segments/{name}.yaml")
    return tuple(_row(row) for row in rule.table)


def _row(row: Mapping[str, Any]) -> _Row:
    number = int(str(row["to"]).split("-")[1])
    source = str(row.get("from", ""))
    path = () if source in {"", "."} else tuple(source.split("."))
    return _Row(number, path, CONVERTERS[row.get("as", "text")] if source else None, row)


def check_example(rule: Rule, given: Any) -> Any:
    """A segment rule gives its segment for a resource, a message rule its lines behind the header for the parts of a story."""
    if "segments" in rule.id.split("."):
        row = {"segment": rule.body["segment"], "map": rule.id.rsplit(".", 1)[1]}
        return _segment(row, given, 1, Story({}))
    version = int(given.get("version", 1))
    parts = {name: content if isinstance(content, list) else [content] for name, content in given.items() if name != "version"}
    told = compose(rule.id.rsplit(".", 1)[1], Story(parts, version=version), Receiver("example"), "1", "20260301080000+0800")
    return told.split("\r")[1:-1] if told else None
