"""The XHTML that a narrative may hold: https://hl7.org/fhir/R4/narrative.html#xhtml."""

from __future__ import annotations

import html.entities
import re
from typing import Any

from lxml import etree

_ELEMENT_NAMES = """
    a abbr acronym address b bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt em font
    h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span strike strong sub sup table tbody td tfoot th
    thead tr tt u ul var
"""
_ATTRIBUTE_NAMES = """
    abbr accesskey align alt axis background bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff
    charset cite class clear color colspan compact coords datetime dir face frame headers height href hreflang hspace
    id lang language longdesc name noshade nowrap rel rev rowspan rules scope shape size span src start style summary
    tabindex target title type usemap valign value vlink vspace width xml:lang
"""
_ELEMENTS = frozenset(_ELEMENT_NAMES.split())
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
_XHTML = "{http://www.w3.org/1999/xhtml}"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_PLAIN_ATTRIBUTES = _ATTRIBUTES - {"href", "src", "background"} | {"xmlns"}
_TAGS = re.compile(r"<([^/>][^>]*)>")
_ATTRIBUTE = re.compile(r"\s([^\s=\"'<>/]+)\s*=")
_SOME_TEXT = re.compile(r">[^<>]*[^\s<>]")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
# A page that shows a narrative must not run what is in it.
_ACTIVE = re.compile(r"\s*(?:javascript|vbscript|data:text)", re.IGNORECASE)


def fault(div: str) -> str | None:
    """The message key of what is wrong with the text of Narrative.div, or None."""
    if "<!" in div.replace("<!--", ""):
        return "fhir.narrative-forbidden"
    root = _parse(_ENTITY.sub(_numeric, div) if "&" in div else div)
    if root is None:
        return "fhir.narrative-malformed"
    if root.tag != _XHTML + "div":
        return "fhir.narrative-div"
    if _plain(div):
        return None
    if any(_forbidden(element) for element in root.iter()):
        return "fhir.narrative-forbidden"
    return None if _says_something(root) else "fhir.narrative-empty"


def _plain(div: str) -> bool:
    """Whether well-formed text is allowed by its names alone, which spares a walk over its elements."""
    if div.count("xmlns") != 1 or "script:" in div or "<?" in div or not _SOME_TEXT.search(div):
        return False
    return all(tag in _ELEMENTS or _plain_tag(tag) for tag in set(_TAGS.findall(div)))


def _plain_tag(tag: str) -> bool:
    name = tag.rstrip("/").split(maxsplit=1)[0]
    return name in _ELEMENTS and all(one in _PLAIN_ATTRIBUTES for one in _ATTRIBUTE.findall(tag))


def _parse(text: str) -> Any:
    try:
        return etree.fromstring(text, _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _numeric(found: re.Match[str]) -> str:
    """HTML's named characters as numbers, since XML knows five names only."""
    point = None if found[1] in _XML_ENTITIES else html.entities.name2codepoint.get(found[1])
    return f"&#{point};" if point else found[0]


def _forbidden(element: Any) -> bool:
    if not isinstance(element.tag, str):
        return element.tag is not etree.Comment
    name = element.tag.removeprefix(_XHTML)
    return name not in _ELEMENTS or any(_forbidden_attribute(str(k), str(v)) for k, v in element.attrib.items())


def _forbidden_attribute(name: str, value: str) -> bool:
    if name == _XML_LANG:
        return False
    return name not in _ATTRIBUTES or (name in {"href", "src", "background"} and bool(_ACTIVE.match(value)))


def _says_something(root: Any) -> bool:
    return any(text.strip() for text in root.itertext()) or root.find(f".//{_XHTML}img") is not None
