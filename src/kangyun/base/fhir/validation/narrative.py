"""The XHTML that a narrative may hold: https://hl7.org/fhir/R4/narrative.html#xhtml."""

from __future__ import annotations

import html.entities
import re

from lxml import etree

_ELEMENTS = frozenset(
    "a abbr acronym address b bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt em font "
    "h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span strike strong sub sup table tbody td tfoot th "
    "thead tr tt u ul var".split()
)
_ATTRIBUTES = frozenset(
    "abbr accesskey align alt axis background bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff "
    "charset cite class clear color colspan compact coords datetime dir face frame headers height href hreflang hspace "
    "id lang language longdesc name noshade nowrap rel rev rowspan rules scope shape size span src start style summary "
    "tabindex target title type usemap valign value vlink vspace width xml:lang".split()
)
_XHTML = "{http://www.w3.org/1999/xhtml}"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
# A page that shows a narrative must not run what is in it.
_ACTIVE = re.compile(r"\s*(?:javascript|vbscript|data:text)", re.IGNORECASE)


def fault(div: str) -> str | None:
    """The message key of what is wrong with the text of Narrative.div, or None."""
    if "<!" in div.replace("<!--", ""):
        return "fhir.narrative-forbidden"
    root = _parse(_ENTITY.sub(_numeric, div))
    if root is None:
        return "fhir.narrative-malformed"
    if root.tag != _XHTML + "div":
        return "fhir.narrative-div"
    if any(_forbidden(element) for element in root.iter()):
        return "fhir.narrative-forbidden"
    return None if _says_something(root) else "fhir.narrative-empty"


def _parse(text: str) -> etree._Element | None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _numeric(found: re.Match[str]) -> str:
    """HTML's named characters as numbers, since XML knows five names only."""
    point = None if found[1] in _XML_ENTITIES else html.entities.name2codepoint.get(found[1])
    return f"&#{point};" if point else found[0]


def _forbidden(element: etree._Element) -> bool:
    if not isinstance(element.tag, str):
        return element.tag is not etree.Comment
    name = element.tag.removeprefix(_XHTML)
    return name not in _ELEMENTS or any(_forbidden_attribute(str(k), str(v)) for k, v in element.attrib.items())


def _forbidden_attribute(name: str, value: str) -> bool:
    if name == _XML_LANG:
        return False
    return name not in _ATTRIBUTES or (name in {"href", "src", "background"} and bool(_ACTIVE.match(value)))


def _says_something(root: etree._Element) -> bool:
    return any(text.strip() for text in root.itertext()) or root.find(f".//{_XHTML}img") is not None
