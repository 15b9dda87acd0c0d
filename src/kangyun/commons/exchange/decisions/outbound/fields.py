"""FHIR elements to HL7 v2 fields: the way back of the converters in `values`, `people` and `results`.

A converter takes the nodes that a row's `from` has found, and gives the text of the field, escaped, its repetitions
parted by ~. HL7 v2.5.1 chapter 2A.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from kangyun.base import rules

_PACKAGE = "kangyun.commons.exchange"
_V2 = re.compile(r"http://terminology\.hl7\.org/CodeSystem/v2-(\d{4})")
_ESCAPES = str.maketrans({
    "\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\n": "\\.br\\", "\r": "",
})  # fmt: skip
_KINDS = {"IDE": "I", "ABC": "A", "SYL": "P"}
_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"

Nodes = list[Any]
Options = Mapping[str, Any]
People = Mapping[str, dict[str, Any]]
Converter = Callable[[Nodes, Options, People], str]


def escape(text: object) -> str:
    """A text with the delimiters of the message written as escape sequences."""
    return str(text).translate(_ESCAPES)


def joined(parts: list[str]) -> str:
    """Components to a field, without the empty ones at the end."""
    return "^".join(parts).rstrip("^")


def text(nodes: Nodes, _options: Options, _people: People) -> str:
    """Plain values, one repetition each."""
    return "~".join(escape(one) for one in nodes)


def first(nodes: Nodes, options: Options, people: People) -> str:
    """The first plain value alone."""
    return text(nodes[:1], options, people)


def dtm(nodes: Nodes, _options: Options, _people: People) -> str:
    """A FHIR date, dateTime or instant as DTM, with its own precision and offset."""
    return moment(str(nodes[0])) if nodes else ""


def moment(value: str) -> str:
    """One date or time as DTM."""
    day, _, clock = value.partition("T")
    if not clock:
        return day.replace("-", "")
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?", clock)
    if match is None:
        return day.replace("-", "")
    offset = "+0000" if match[5] == "Z" else (match[5] or "").replace(":", "")
    return f"{day.replace('-', '')}{match[1]}{match[2]}{match[3]}{(match[4] or '')[:5]}{offset}"


def authority(system: str) -> str:
    """An identifier's system as HD: ISO for object identifiers, UUID, else the address itself as URI."""
    if system.startswith("urn:oid:"):
        return f"&{system.removeprefix('urn:oid:')}&ISO"
    if system.startswith("urn:uuid:"):
        return f"&{system.removeprefix('urn:uuid:')}&UUID"
    return f"&{escape(system)}&URI" if system else ""


def cx(nodes: Nodes, _options: Options, _people: People) -> str:
    """Identifiers as CX."""
    return "~".join(_cx(one) for one in nodes if one.get("value") and one.get("use") != "old")


def _cx(one: dict[str, Any]) -> str:
    kind = next((coding["code"] for coding in one.get("type", {}).get("coding", []) if "code" in coding), "")
    return joined([escape(one["value"]), "", "", authority(one.get("system", "")), escape(kind)])


def ei(nodes: Nodes, options: Options, _people: People) -> str:
    """The identifier of the `type` PLAC or FILL as EI; `any` takes the first where none is typed."""
    wanted = options.get("type")
    for one in nodes:
        kinds = {coding.get("code") for coding in one.get("type", {}).get("coding", [])}
        if one.get("value") and (wanted in kinds or (options.get("any") and not kinds & {"PLAC", "FILL"})):
            return _ei(one)
    return ""


def _ei(one: dict[str, Any]) -> str:
    parts = authority(one.get("system", "")).split("&")
    return joined([escape(one["value"]), *parts])


def identity(nodes: Nodes, _options: Options, _people: People) -> str:
    """The id of the resource itself as EI, under this platform: for what has no number of its own."""
    return joined([escape(nodes[0]), "KANGYUN"]) if nodes else ""


def xpn(nodes: Nodes, _options: Options, _people: People) -> str:
    """HumanNames as XPN."""
    return "~".join(_xpn(one) for one in nodes)


def _xpn(one: dict[str, Any]) -> str:
    given = [escape(part) for part in one.get("given", [])]
    use = _key_of("name_use", one.get("use")) if one.get("use") else ""
    shown = next((e.get("valueCode") for e in one.get("extension", []) if e.get("url") == _REPRESENTATION), "")
    family = escape(one.get("family", "")) or ("" if given else escape(one.get("text", "")))
    prefix, suffix = (escape(" ".join(one.get(name, []))) for name in ("prefix", "suffix"))
    return joined([family, *(given[:1] or [""]), " ".join(given[1:]), suffix, prefix, "", use, _KINDS.get(str(shown), "")])


def xad(nodes: Nodes, _options: Options, _people: People) -> str:
    """Addresses as XAD; one that has its text only is a line."""
    return "~".join(_xad(one) for one in nodes)


def _xad(one: dict[str, Any]) -> str:
    lines = [escape(line) for line in one.get("line", [])] or [escape(one.get("text", ""))]
    city, state, post, country, district = (escape(one.get(k, "")) for k in ("city", "state", "postalCode", "country", "district"))
    use = {"home": "H", "work": "B", "temp": "C", "old": "BA", "billing": "BI"}.get(str(one.get("use")), "")
    return joined([lines[0], " ".join(lines[1:]), city, state, post, country, use, "", district])


def xtn(nodes: Nodes, options: Options, _people: People) -> str:
    """ContactPoints as XTN, those of one `use`, or of all but work."""
    wanted = options.get("use")
    kept = [one for one in nodes if one.get("value") and (one.get("use") == "work") == (wanted == "work")]
    return "~".join(_xtn(one) for one in kept)


def _xtn(one: dict[str, Any]) -> str:
    value = escape(one["value"])
    if one.get("system") == "email":
        return joined(["", "NET", "Internet", value])
    use = {"work": "WPN", "home": "PRN", "temp": "EMR", "mobile": "PRN"}.get(str(one.get("use")), "")
    return joined([value, use, "CP" if one.get("use") == "mobile" else "PH"])


def cwe(nodes: Nodes, _options: Options, _people: People) -> str:
    """CodeableConcepts as CWE, one repetition each."""
    return "~".join(_cwe(one) for one in nodes)


def _cwe(one: dict[str, Any]) -> str:
    # A code of HL7's own stands first on the way in, where one was found; the sender's own is the more telling.
    codings: list[dict[str, Any]] = one.get("coding", [])
    parts: list[str] = []
    for coding in codings[:2]:
        parts += [escape(coding.get("code", "")), escape(coding.get("display", "")), escape(coding_system(coding.get("system", "")))]
    if not parts:
        return escape(one.get("text", "")) and joined(["", escape(one["text"])])
    shown = one.get("text", "")
    if not parts[1]:
        parts[1] = escape(shown)
    elif shown and shown not in {coding.get("display") for coding in codings[:2]}:
        return joined([*parts, *[""] * (8 - len(parts)), escape(shown)])
    return joined(parts)


@lru_cache(maxsize=1024)
def coding_system(uri: str) -> str:
    """The name of HL7 table 0396 for a coding system, else its address."""
    match = _V2.fullmatch(uri)
    if match:
        return f"HL7{match[1]}"
    known = rules.load(_PACKAGE, "codes/coding_systems.yaml").map
    return next((name for name, address in known.items() if address == uri), uri.removeprefix("urn:oid:"))


def back(nodes: Nodes, options: Options, _people: People) -> str:
    """The key of a code table whose entry is the value: F for female."""
    return _key_of(options["table"], nodes[0]) if nodes else str(options.get("empty", ""))


def _key_of(table: str, value: Any) -> str:
    wanted = _code(value)
    known = rules.load(_PACKAGE, f"codes/{table}.yaml").map
    return next((str(key) for key, entry in known.items() if _code(entry) == wanted), "")


def _code(entry: Any) -> Any:
    if isinstance(entry, dict):
        coded: dict[str, Any] = entry["coding"][0] if "coding" in entry else entry
        return coded.get("code")
    return entry


def choose(nodes: Nodes, options: Options, _people: People) -> str:
    """The entry of the row's own `map` for a value; `otherwise` where it has none."""
    return str(options["map"].get(nodes[0] if nodes else None, options.get("otherwise", "")))


def flag(nodes: Nodes, _options: Options, _people: People) -> str:
    """Y or N."""
    return ("Y" if nodes[0] else "N") if nodes else ""


def xcn(nodes: Nodes, options: Options, people: People) -> str:
    """References to people as XCN: number, name, and who gave the number; with `only`, those to one type of resource."""
    only = options.get("only")
    kept = [one for one in nodes if not only or str(one.get("reference", only)).startswith(only)]
    return "~".join(found for one in kept if (found := _xcn(one, people)))


def _xcn(one: dict[str, Any], people: People) -> str:
    person = people.get(str(one.get("reference")), {})
    number = next(iter(person.get("identifier", [])), {})
    name = next(iter(person.get("name", [])), {"text": one.get("display", "")})
    parts = [*_xpn({k: v for k, v in name.items() if k not in {"use", "extension"}}).split("^"), "", "", "", ""][:5]
    return joined([escape(number.get("value", "")), *parts, "", "", authority(number.get("system", ""))])


def location(nodes: Nodes, _options: Options, _people: People) -> str:
    """The place of a visit as PL, by its name alone."""
    return escape(nodes[-1].get("display", "")).replace(" ", "^") if nodes else ""


def value_type(nodes: Nodes, _options: Options, _people: People) -> str:
    """OBX-2."""
    return _value(nodes[0])[0]


def value(nodes: Nodes, _options: Options, _people: People) -> str:
    """OBX-5."""
    return _value(nodes[0])[1]


def unit(nodes: Nodes, _options: Options, _people: People) -> str:
    """OBX-6."""
    return _value(nodes[0])[2]


def _value(found: dict[str, Any]) -> tuple[str, str, str]:
    name = next((key for key in found if key.startswith("value")), "")
    content = found.get(name)
    if name == "valueQuantity":
        return _quantity(content or {})
    simple = {"valueString": "ST", "valueDateTime": "DTM", "valueTime": "TM", "valueBoolean": "ST", "valueInteger": "NM"}
    if name in simple:
        shown = moment(str(content)) if name == "valueDateTime" else str(content)
        return simple[name], escape(shown.replace(":", "") if name == "valueTime" else shown), ""
    return _compound(name, content)


def _compound(name: str, content: Any) -> tuple[str, str, str]:
    if name == "valueCodeableConcept":
        return "CWE", _cwe(content), ""
    if name == "valueRange":
        low, high = content.get("low", {}), content.get("high", {})
        return "SN", joined(["", escape(low.get("value", "")), "-", escape(high.get("value", ""))]), escape(low.get("unit", ""))
    if name == "valueRatio":
        top, bottom = content.get("numerator", {}), content.get("denominator", {})
        return "SN", joined(["", escape(top.get("value", "")), ":", escape(bottom.get("value", ""))]), ""
    return "", "", ""


def _quantity(content: dict[str, Any]) -> tuple[str, str, str]:
    shown = escape(content.get("unit") or content.get("code") or "")
    if "comparator" in content:
        return "SN", joined([escape(content["comparator"]), escape(content.get("value", ""))]), shown
    return "NM", escape(content.get("value", "")), shown


def amount(nodes: Nodes, _options: Options, _people: People) -> str:
    """The number of a Quantity."""
    return escape(nodes[0].get("value", "")) if nodes else ""


def amount_unit(nodes: Nodes, _options: Options, _people: People) -> str:
    """The unit of a Quantity."""
    return escape(nodes[0].get("unit") or nodes[0].get("code") or "") if nodes else ""


def attachment_type(nodes: Nodes, _options: Options, _people: People) -> str:
    """OBX-2 for an attachment: its text, its bytes, or its address."""
    return "TX" if _is_text(nodes[0]) else "ED" if "data" in nodes[0] else "RP"


def attachment(nodes: Nodes, _options: Options, _people: People) -> str:
    """OBX-5 for an attachment."""
    one = nodes[0]
    if _is_text(one):
        return escape(base64.b64decode(one["data"]).decode("utf-8", "replace"))
    kind, _, subtype = str(one.get("contentType", "")).partition(";")[0].partition("/")
    if "data" in one:
        return joined(["", escape(kind), escape(subtype), "Base64", str(one["data"])])
    return joined([escape(one.get("url", "")), "", escape(kind), escape(subtype)])


def _is_text(one: dict[str, Any]) -> bool:
    return str(one.get("contentType", "")).startswith("text/plain") and "data" in one


CONVERTERS: dict[str, Converter] = {
    function.__name__: function
    for function in (
        text, first, dtm, cx, ei, identity, xpn, xad, xtn, cwe, back, choose, flag, xcn, location, value_type, value,
        unit, amount, amount_unit, attachment, attachment_type,
    )
}  # fmt: skip
