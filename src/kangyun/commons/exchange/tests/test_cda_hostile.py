"""Whatever is done to a document, it is taken or refused with a reason; nothing else ever happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from kangyun.base import errors
from kangyun.commons.exchange.decisions.cda.peeking import peek
from kangyun.commons.exchange.decisions.cda.sheet import Paper
from kangyun.commons.exchange.decisions.cda.translate import translate
from kangyun.commons.exchange.decisions.translate import settle
from kangyun.commons.exchange.model import Fault
from kangyun.commons.exchange.tests.test_cda import DIAGNOSES, FOLLOW_UP, SIGNS, document, samples

NOW = datetime(2026, 11, 1, 4, tzinfo=UTC)
WORDS = st.text(max_size=12) | st.sampled_from(["", "-1", "99999999", "20260230", "1e400", "true", "∞", "../..", "{}", "NaN", "2.16.156.10011.1.3", "\ud7ff"])


def originals() -> list[bytes]:
    own = [document(SIGNS, DIAGNOSES), document(FOLLOW_UP, code="HSDB04.01")]
    return [*own, *(path.read_bytes() for path in samples()[:3])]


def read(body: bytes) -> None:
    """Read a document to the end; only a Fault with a text in both languages may come of it."""
    peek(body)
    caught: Fault | None = None
    paper: Paper | None = None
    try:
        paper = translate(body, "X", NOW)
    except Fault as fault:
        caught = fault
    if caught is not None:
        issue = errors.Issue("processing", caught.key, caught.params)
        assert errors.text(issue, "zh") != caught.key, f"no text for {caught.key}"
    for _, resource in settle(paper, "p") if paper else ():
        assert resource["resourceType"]
        assert all(value not in (None, "", [], {}) for value in resource.values()), resource["resourceType"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_documents_with_changed_parts_are_taken_or_refused(data: st.DataObject):
    body = data.draw(st.sampled_from(originals()))
    root: Any = etree.fromstring(body)
    for _ in range(data.draw(st.integers(1, 4))):
        elements = [one for one in root.iter() if isinstance(one.tag, str)]
        _change(data, elements[data.draw(st.integers(0, len(elements) - 1))])
    read(etree.tostring(root))


def _change(data: st.DataObject, element: Any) -> None:
    what = data.draw(st.sampled_from(["drop", "word", "text", "tag", "double", "null", "type"]))
    parent = element.getparent()
    if what == "drop" and parent is not None:
        parent.remove(element)
    elif what == "double" and parent is not None:
        parent.append(etree.fromstring(etree.tostring(element)))
    elif what == "word" and element.attrib:
        name = data.draw(st.sampled_from(sorted(element.attrib)))
        element.set(name, _plain(data.draw(WORDS)))
    elif what == "text":
        element.text = _plain(data.draw(WORDS))
    elif what == "tag":
        element.tag = data.draw(st.sampled_from(["{urn:hl7-org:v3}observation", "{urn:hl7-org:v3}act", "{urn:hl7-org:v3}organizer", "{urn:x}y", "id"]))
    elif what == "null":
        element.set("nullFlavor", "UNK")
    elif what == "type":
        kind = data.draw(st.sampled_from(["PQ", "CD", "TS", "BL", "INT", "MO", "IVL_TS", "IVL_PQ", "RTO", "ZZ"]))
        element.set("{http://www.w3.org/2001/XMLSchema-instance}type", kind)


def _plain(word: str) -> str:
    """What XML can hold."""
    return "".join(sign for sign in word if sign.isprintable())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_documents_with_changed_bytes_are_taken_or_refused(data: st.DataObject):
    body = bytearray(data.draw(st.sampled_from(originals())))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(body) - 1))
        size = data.draw(st.integers(0, 30))
        body[place : place + size] = data.draw(st.binary(max_size=20))
    read(bytes(body))


@pytest.mark.parametrize("body", [b"<", b"<a", b"\x00", b"\xff\xfe", b"<?xml?>", b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>", b"<!DOCTYPE", b"&amp;", b"<a xmlns:b='b' b:c=''/>"])
def test_scraps_are_refused(body: bytes):
    with pytest.raises(Fault):
        translate(body, "X", NOW)
