"""What every institution of the simulated region sends, in each of its formats, is read as it was meant."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from functools import cache

from kangyun.base import clock
from kangyun.commons.exchange.actions.tables import opened
from kangyun.commons.exchange.decisions.acknowledge import peek
from kangyun.commons.exchange.decisions.cda.translate import translate as translate_document
from kangyun.commons.exchange.decisions.encoding import decode
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.tables import Good, naming
from kangyun.commons.exchange.decisions.translate import translate
from kangyun.commons.exchange.model import Fault
from yunzhou import institutions, sheets
from yunzhou.city import City, window
from yunzhou.messages import Message
from yunzhou.plans import CHINA


@cache
def _told() -> tuple[Message, ...]:
    return tuple(City(3, 300, window(1, datetime(2026, 1, 1, tzinfo=CHINA))).messages())


def test_every_hl7_message_is_parsed_and_only_the_wrong_ones_are_refused() -> None:
    versions = Counter[str]()
    for message in _told():
        if message.transport == "mllp":
            refused = _refused(message)
            assert refused == (message.expected == "refused"), (message.id, message.reason)
            versions[institutions.institution(message.institution).version] += 1
    assert set(versions) >= {"2.3", "2.4", "2.5", "2.5.1"}


def _refused(message: Message) -> bool:
    try:
        translate(parse(decode(message.body)[0]), sender_of(peek(message.body).sender), clock.now())
    except Fault:
        return True
    return False


def test_every_document_becomes_a_composition_of_its_institution() -> None:
    documents = [message for message in _told() if message.transport == "cda"]
    assert len(documents) > 20
    for message in documents:
        house = institutions.institution(message.institution)
        drafts = translate_document(message.body, house.mnemonic, clock.now()).drafts
        assert {"Composition", "Encounter"} <= {draft.type for draft in drafts}


def test_every_row_of_a_spreadsheet_is_taken_except_those_that_cannot_be() -> None:
    rows = 0
    for sheet in sheets.of(_told(), "1"):
        tables, faults = opened(sheet.body, naming.kind_in(sheet.name), sender_of(naming.sender_in(sheet.name) or ""))
        taken = sum(isinstance(row, Good) for table in tables for row in table.rows())
        assert not faults
        assert taken == sum(message.expected == "stored" for message in sheet.messages), sheet.name
        rows += taken
    assert rows > 100
