"""The gate: who may do what. Every other room reaches the record through a handle that the gate gives out."""

from kangyun.base import errors
from kangyun.commons.access.actions.accounts import Post, administer, invite
from kangyun.commons.access.actions.emergency import Whom, break_glass
from kangyun.commons.access.actions.entries import Entries
from kangyun.commons.access.actions.gate import Gate, Handle, Transaction
from kangyun.commons.access.actions.labelling import label_all
from kangyun.commons.access.actions.letterheads import Letterhead, choose_mark, letterhead
from kangyun.commons.access.actions.notices import CATEGORY as NOTICE_CATEGORY
from kangyun.commons.access.actions.notices import tell
from kangyun.commons.access.actions.parts import Parts as AccessParts
from kangyun.commons.access.actions.passkeys import Site
from kangyun.commons.access.actions.presence import Presence, Proof, offer_presence, presence_of, prove_presence
from kangyun.commons.access.actions.relations import settle as settle_relations
from kangyun.commons.access.actions.signing import Verdict, end_keys, sign, verdicts, verify_signature
from kangyun.commons.access.actions.trail import Trail
from kangyun.commons.access.actions.who import callers_named, signed_in
from kangyun.commons.access.decisions.audit_events import SEARCHED
from kangyun.commons.access.decisions.letterheads import colours as letterhead_colours
from kangyun.commons.access.decisions.letterheads import rgb as letterhead_rgb
from kangyun.commons.access.decisions.policy import role_titles
from kangyun.commons.access.decisions.sensitive import tokens as sensitive_tokens
from kangyun.commons.access.decisions.signing import Content
from kangyun.commons.access.gateways.sms import Sms, open_sms
from kangyun.commons.access.model import SESSION_COOKIE, Actor, Event, Page, escaped
from kangyun.commons.access.queries.accounts import StaffRow
from kangyun.commons.access.queries.accounts import staff as staff_of
from kangyun.commons.access.queries.clients import client_titles
from kangyun.commons.access.queries.fingerprints import fingerprints
from kangyun.commons.access.queries.letterheads import Mark, mark_of
from kangyun.commons.records import Stored, Write, Written, answered_elsewhere, key_of, settle_labels

errors.register("kangyun.commons.access")
# Every process that writes says by the same rule which classes a resource is of.
settle_labels(sensitive_tokens)
answered_elsewhere("AuditEvent", SEARCHED)

__all__ = [
    "NOTICE_CATEGORY", "SESSION_COOKIE", "AccessParts", "Actor", "Content", "Entries", "Event", "Gate", "Handle", "Letterhead", "Mark", "Page", "Post", "Presence", "Proof", "Site", "Sms", "StaffRow", "Stored", "Trail",
    "Transaction", "Verdict", "Whom", "Write", "Written", "administer", "break_glass", "callers_named", "choose_mark", "client_titles", "end_keys", "escaped", "fingerprints", "invite", "key_of", "label_all", "letterhead", "letterhead_colours", "letterhead_rgb", "mark_of",
    "offer_presence", "open_sms", "presence_of", "prove_presence", "role_titles", "settle_relations", "sign", "signed_in", "staff_of", "tell", "verdicts", "verify_signature",
]
