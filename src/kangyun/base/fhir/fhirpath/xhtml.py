"""The narrative that FHIR allows: a safe part of XHTML (hl7.org/fhir/R4/narrative.html, constraints txt-1 and txt-2)."""

from __future__ import annotations

from xml.parsers import expat

NAMESPACE = "http://www.w3.org/1999/xhtml"
ELEMENTS = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "big",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
        "ul",
        "var",
    ]
)
ATTRIBUTES = frozenset(
    [
        "abbr",
        "accesskey",
        "align",
        "alt",
        "axis",
        "bgcolor",
        "border",
        "cellhalign",
        "cellpadding",
        "cellspacing",
        "cellvalign",
        "char",
        "charoff",
        "charset",
        "cite",
        "class",
        "colspan",
        "compact",
        "coords",
        "dir",
        "frame",
        "headers",
        "height",
        "href",
        "hreflang",
        "hspace",
        "id",
        "lang",
        "longdesc",
        "name",
        "nowrap",
        "rel",
        "rev",
        "rowspan",
        "rules",
        "scope",
        "shape",
        "span",
        "src",
        "start",
        "style",
        "summary",
        "tabindex",
        "title",
        "type",
        "valign",
        "value",
        "vspace",
        "width",
        "xml:lang",
        "xmlns",
    ]
)


class NotAllowedError(ValueError):
    """Something in the narrative is outside the allowed part of XHTML."""


class Checker:
    """Follows the events of the XML parser and refuses what is not allowed."""

    def __init__(self) -> None:
        self.content = False
        self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if self._depth == 0 and (name != "div" or attributes.get("xmlns", NAMESPACE) != NAMESPACE):
            raise NotAllowedError
        if name not in ELEMENTS or not ATTRIBUTES.issuperset(attributes):
            raise NotAllowedError
        if any(value.strip().lower().startswith("javascript:") for value in attributes.values()):
            raise NotAllowedError
        self.content |= name == "img"
        self._depth += 1

    def end(self, _: str) -> None:
        """An element ends."""
        self._depth -= 1

    def text(self, data: str) -> None:
        """Characters between elements."""
        self.content |= not data.isspace()

    def refuse(self, *_: object) -> None:
        """A document type or processing instruction, which could define entities."""
        raise NotAllowedError


def is_safe_narrative(text: str) -> bool:
    """Whether a narrative's ``div`` is well-formed, has only allowed elements and attributes, and is not empty."""
    parser, checker = expat.ParserCreate(), Checker()
    parser.StartElementHandler = checker.start
    parser.EndElementHandler = checker.end
    parser.CharacterDataHandler = checker.text
    parser.StartDoctypeDeclHandler = checker.refuse
    parser.ProcessingInstructionHandler = checker.refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, NotAllowedError):
        return False
    return checker.content
