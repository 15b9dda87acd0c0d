"""The narrative of a section to the XHTML that FHIR allows. CDA R2 section 4.3.5, FHIR R4 2.25."""

from __future__ import annotations

import re

from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, clean, first, text

_TAGS = {
    "table": "table", "thead": "thead", "tbody": "tbody", "tfoot": "tfoot", "tr": "tr", "td": "td", "th": "th", "list": "ul",
    "item": "li", "paragraph": "p", "content": "span", "caption": "b", "sub": "sub", "sup": "sup", "br": "br",
}  # fmt: skip
_OPEN = '<div xmlns="http://www.w3.org/1999/xhtml">'
_MOST = 200_000
_SIGNS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def xhtml(element: Element | None) -> str:
    """The narrative as an XHTML div; nothing where it says nothing."""
    if element is None or not text(element):
        return ""
    parts: list[str] = [_OPEN, _escaped(element.text)]
    for child in element:
        _write(child, parts)
    found = "".join([*parts, "</div>"])
    # A text that is too long for a page is kept plain.
    return found if len(found) <= _MOST else f"{_OPEN}{_escaped(text(element)[: _MOST // 2])}</div>"


def _write(element: Element, parts: list[str]) -> None:
    tag = _TAGS.get(str(element.tag))
    if tag == "br":
        parts += ["<br/>", _escaped(element.tail)]
        return
    if tag == "ul" and attribute(element, ".", "listType") == "ordered":
        tag = "ol"
    # Words that the narrative keeps for machines or shows beside a picture stay words.
    parts.append(f"<{tag}>" if tag else "")
    parts.append(_escaped(element.text))
    for child in element:
        _write(child, parts)
    parts += [f"</{tag}>" if tag else "", _escaped(element.tail)]


def _escaped(words: str | None) -> str:
    plain = re.sub(r"\s+", " ", words or "")
    return re.sub(r"[&<>]", lambda match: _SIGNS[match[0]], clean(plain) if plain.strip() else " " if plain else "")


def section_text(section: Element) -> dict[str, str] | None:
    """The Narrative of a section, or None."""
    found = xhtml(first(section, "text"))
    return {"status": "generated", "div": found} if found else None


def referred(element: Element | None) -> str:
    """The words that `<reference value="#id"/>` points to in the narrative, as American documents write them."""
    target = attribute(element, ".//reference")
    if element is None or not target.startswith("#") or len(target) > 100:
        return ""
    section = next((one for one in element.iterancestors() if one.tag == "section"), None)
    narrative = first(section, "text")
    if narrative is None:
        return ""
    name = target[1:]
    return next((text(one) for one in narrative.iter() if one.get("ID") == name), "")
