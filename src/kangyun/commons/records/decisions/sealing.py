"""Which resources are sealed in the database, and what of a sealed one stays readable there.

Sealed is what says who somebody is or how to reach him: always the types below, and any other resource in which such a
thing is found. Readable stay the codes and references by which a search sorts, never a text: `{"sealed":"...","gender":
"female"}` is a JSON object like any other body, so that a statement needs to know nothing of sealing.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from kangyun.base.fhir import json as fhir_json
from kangyun.base.keys import vault
from kangyun.commons.records.decisions.index.parameters import parameters
from kangyun.commons.records.model import SEALED, SEALED_FOR

# Type -> what it says of somebody.
IDENTITY: dict[str, str] = {
    "Patient": "ID number, names, telephone, address",
    "Person": "the same, of the person above the Patients",
    "RelatedPerson": "the same, of relatives",
    "Practitioner": "ID number and telephone of staff",
    "Coverage": "insurance number",
    "Account": "insurance and account numbers",
    "Binary": "files, which nobody looks into",
    "Bundle": "documents and messages with all that they hold",
    "Composition": "the text of documents, with their heads",
    "QuestionnaireResponse": "what people wrote into free fields",
}
# Types whose address and telephone are an institution's, which are on its door.
PUBLIC = frozenset({
    "Organization", "Location", "HealthcareService", "Endpoint", "OrganizationAffiliation", "PractitionerRole",
    "CodeSystem", "ValueSet", "ConceptMap", "StructureDefinition", "SearchParameter", "CapabilityStatement",
    "OperationDefinition", "NamingSystem", "ImplementationGuide", "Questionnaire", "InsurancePlan",
})  # fmt: skip
# A resident ID number (GB 11643: 17 digits and a check character) or a mobile number (11 digits) in any text.
_NUMBER = re.compile(r"[1-9]\d{10}(?:\d{6}[\dXx])?(?![\w.])", re.ASCII)
_MOBILE = 11
# Most texts have no eleven digits in a row; that is seen in a quarter of the time that the expression takes.
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_READABLE_LEAVES = frozenset({"reference", "code"})
_NEVER_READABLE = frozenset({"identifier", "telecom", "name", "address", "text", "contact", "contained", "meta", "extension"})
_SORTED = frozenset({"token", "reference", "uri"})


def kept(resource: dict[str, Any], id_: str, body: str) -> str:
    """What the database keeps of a resource; `body` is its text without id and meta."""
    type_ = resource["resourceType"]
    if not is_identifying(type_, body):
        return body
    sealed = vault.seal(SEALED_FOR, body, f"{type_}/{id_}")
    readable = fhir_json.dumps(_readable(type_, resource)).decode()
    return f'{SEALED}{sealed}"' + ("}" if readable == "{}" else f",{readable[1:]}")


def is_identifying(type_: str, body: str) -> bool:
    """Whether a resource says who somebody is: by its type, by an address or a file in it, or by a number in any text."""
    if type_ in IDENTITY:
        return True
    if type_ in PUBLIC:
        return False
    return '"telecom":' in body or '"address":' in body or ('"data":"' in body and '"contentType":' in body) or _has_number(body)


def _has_number(body: str) -> bool:
    if b"0" * _MOBILE not in body.encode().translate(_DIGITS):
        return False
    for found in _NUMBER.finditer(body):
        before = body[found.start() - 1]
        mobile = found.end() - found.start() == _MOBILE
        if not (before.isascii() and (before.isalnum() or before in "._-")) and (not mobile or body[found.start() : found.start() + 2] > "11"):
            return True
    return False


@cache
def _sorted_elements(type_: str) -> frozenset[str]:
    """The elements that a search can sort by and that do not tell who somebody is."""
    slots = [use.slot for one in parameters(type_).values() if one.kind in _SORTED for use in one.uses]
    steps = {slot.path.steps[0] for slot in slots if slot.type not in {"Identifier", "ContactPoint"}}
    return frozenset(step for step in steps if isinstance(step, str)) - _NEVER_READABLE


def _readable(type_: str, resource: dict[str, Any]) -> dict[str, Any]:
    found = {name: _codes(resource[name]) for name in sorted(_sorted_elements(type_) & resource.keys())}
    return {name: value for name, value in found.items() if value not in ({}, [], None)}


def _codes(value: Any, name: str = "code") -> Any:
    """The codes, booleans and references of an element; what stands beside them is left out."""
    if isinstance(value, list):
        return [one for one in (_codes(item, name) for item in value) if one not in ({}, [], None)]
    if isinstance(value, dict):
        inside = {key: _codes(one, key) for key, one in value.items() if key not in _NEVER_READABLE}
        return {key: one for key, one in inside.items() if one not in ({}, [], None)}
    return value if name in _READABLE_LEAVES or isinstance(value, bool) else None
