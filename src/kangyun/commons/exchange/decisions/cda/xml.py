"""Bytes to a CDA tree, safely: no document types, no entities, nothing fetched, bounded size and depth.

XML 1.0 sections 2.8 and 4.3.3; what a document type can do (billion laughs, files and addresses read by the parser) is
refused by not having one: a CDA document needs none.
"""

from __future__ import annotations

import re

from lxml import etree

from kangyun.commons.exchange.model import Fault

Element = etree._Element  # noqa: SLF001 - lxml names the type of its elements so  # pyright: ignore[reportPrivateUsage]

HL7 = "urn:hl7-org:v3"
SDTC = "urn:hl7-org:sdtc"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

MOST_BYTES = 32 << 20
_DEEPEST = 100
_MOST_ELEMENTS = 300_000

_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}?\?>")
_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_MISC = re.compile(r"\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
# FHIR strings hold tab, line feed and carriage return, and no other control character; XML 1.0 refuses most already.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Chinese systems declare GB2312 and send the characters that only its supersets have.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "gb-2312": "gb18030", "x-gbk": "gb18030", "cp936": "gb18030"}


def read(body: bytes) -> Element:
    """The root of a CDA document; tags are local names, those of the SDTC extension begin with `sdtc_`.

    Raises Fault, naming the place as a path, for what is no document.
    """
    if len(body) > MOST_BYTES:
        raise Fault("exchange.too-large", "", {"bytes": str(len(body)), "limit": str(MOST_BYTES)}, unreadable=True)
    text = _DECLARATION.sub("", decoded(body), count=1)
    _refuse_document_type(text)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, encoding="utf-8",
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _malformed(error) from None
    _settle(root)
    if root.tag != "ClinicalDocument":
        raise Fault("exchange.not-cda", "/", unreadable=True)
    return root


def decoded(body: bytes) -> str:
    """The text of an XML document, by its byte order mark, else its declaration, else UTF-8. Raises Fault."""
    declared = _ENCODING.match(body.lstrip())
    name = next((codec for mark, codec in _MARKS if body.startswith(mark)), "") or (declared[1].decode() if declared else "utf-8")
    try:
        return body.decode(_WIDER.get(name.lower(), name)).lstrip("\ufeff")
    except LookupError:
        raise Fault("exchange.xml-charset", "/", {"value": name[:20]}, unreadable=True) from None
    except UnicodeDecodeError:
        raise Fault("exchange.xml-bytes", "/", {"value": name[:20]}, unreadable=True) from None


def _refuse_document_type(text: str) -> None:
    place = 0
    while match := _MISC.match(text, place):
        place = match.end()
    if text.startswith("<!DOCTYPE", place):
        raise Fault("exchange.xml-doctype", "/", unreadable=True)


def _malformed(error: Exception) -> Fault:
    line = getattr(error, "lineno", None) or 1
    return Fault("exchange.not-xml", f"line {line}", {"line": str(line)}, unreadable=True)


def _settle(root: Element) -> None:
    """Local names for tags and types; refuses what is too deep or too much, and entities that nobody declared."""
    depth, count = 0, 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            depth -= 1
            continue
        depth, count = depth + 1, count + 1
        if depth > _DEEPEST or count > _MOST_ELEMENTS:
            raise Fault("exchange.xml-too-much", "/", {"deep": str(_DEEPEST), "count": str(_MOST_ELEMENTS)}, unreadable=True)
        if not isinstance(element.tag, str):
            raise Fault("exchange.xml-entity", "/", unreadable=True)
        element.tag = _local(element.tag)
        kind = element.attrib.pop(_TYPE, None)
        if kind is not None:
            element.set("type", str(kind).rpartition(":")[2])


def _local(tag: str) -> str:
    space, _, name = tag.rpartition("}")
    if space in {"", "{" + HL7}:
        return name
    return f"sdtc_{name}" if space == "{" + SDTC else f"other_{name}"


def place(element: Element) -> str:
    """Where an element stands, as an XPath over local names."""
    return str(element.getroottree().getpath(element))


def first(element: Element | None, path: str) -> Element | None:
    """The first element under a path of child names, or None."""
    return None if element is None else element.find(path)


def every(element: Element | None, path: str) -> list[Element]:
    """All elements under a path of child names."""
    return [] if element is None else element.findall(path)


def attribute(element: Element | None, path: str, name: str = "value") -> str:
    """An attribute of the first element under a path; `.` is the element itself."""
    found = first(element, path)
    return "" if found is None else clean(str(found.get(name) or ""))


def text(element: Element | None, path: str = ".") -> str:
    """All text of the first element under a path, blanks folded."""
    found = first(element, path)
    return "" if found is None else " ".join(clean("".join(str(part) for part in found.itertext())).split())


def clean(value: str) -> str:
    """A text without control characters, stripped."""
    return (value if value.isprintable() else _CONTROLS.sub("", value)).strip()


def is_null(element: Element | None) -> bool:
    """Whether an element says that there is nothing (HL7 V3 nullFlavor)."""
    return element is None or bool(element.get("nullFlavor"))
