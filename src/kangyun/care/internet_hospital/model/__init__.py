"""The nouns of the internet hospital: the systems of its codes, and the shapes of what it keeps in the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Node: TypeAlias = dict[str, Any]
"""A FHIR resource, or a part of one, as plain data."""

_OWN = "urn:kangyun:internet-hospital:"
CATEGORY = f"{_OWN}category"
"""What a HealthcareService is: hospital (the licence), clinic, advice-line."""
KIND = f"{_OWN}kind"
"""What a consultation is: text, video, advice; the tag by which its Encounter is found."""
LICENCE = f"{_OWN}licence"
"""Numbers of the licences of internet hospitals."""
DOCTOR_LICENCE = "urn:kangyun:doctor-licence"
"""Numbers of doctors' licences to practise (执业证书编码)."""
SUBJECT = "urn:kangyun:subject"
"""Subjects of practice (诊疗科目名录): 03 internal medicine, 07 paediatrics."""
TITLE = "urn:kangyun:title"
"""Titles of doctors: resident, attending, associate, chief."""
PAPER = f"{_OWN}paper"
"""What a document of a consultation is: proof, rating, record."""
COMPLAINT = f"{_OWN}complaint"
"""The code of a Task that is a complaint."""
ICD10 = "http://hl7.org/fhir/sid/icd-10"


def extension(name: str, **value: Any) -> Node:
    """An extension of this room: `extension("outcome", valueCode="offline")`."""
    return {"url": _OWN + name, **value}


def extended(resource: Mapping[str, Any], name: str) -> Any:
    """The value of an extension of this room; None where there is none."""
    for one in resource.get("extension", ()):
        if one.get("url") == _OWN + name:
            return next((value for key, value in one.items() if key.startswith("value")), None)
    return None


def all_extended(resource: Mapping[str, Any], name: str) -> list[Any]:
    """The values of an extension that may repeat."""
    found = [one for one in resource.get("extension", ()) if one.get("url") == _OWN + name]
    return [value for one in found for key, value in one.items() if key.startswith("value")]


def with_extension(resource: Mapping[str, Any], name: str, **value: Any) -> Node:
    """The resource with an extension in place of the one of that name."""
    others = [one for one in resource.get("extension", ()) if one.get("url") != _OWN + name]
    return {**resource, "extension": [*others, extension(name, **value)]}


def codes(node: Any, system: str) -> list[str]:
    """The codes of a system in a CodeableConcept, or in a list of them, in order."""
    concepts = node if isinstance(node, list) else [node] if node else []
    return [str(c["code"]) for one in concepts for c in one.get("coding", ()) if c.get("system") == system and "code" in c]


def concept(system: str, code: str, **more: str) -> Node:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, **more}]}


def reference(type_: str, id_: str, display: str = "") -> Node:
    """A Reference, with the words to show where they are known."""
    return {"reference": f"{type_}/{id_}", **({"display": display} if display else {})}


def id_of(node: Any, type_: str = "") -> str:
    """The id in a Reference, of a type where one is said; '' otherwise."""
    text = str((node or {}).get("reference", ""))
    found, _, id_ = text.partition("/")
    return id_ if not type_ or found == type_ else ""


def tagged(resource: Mapping[str, Any], system: str) -> str:
    """The code of a tag of a system; '' without one."""
    tags = resource.get("meta", {}).get("tag", ())
    return next((str(one.get("code", "")) for one in tags if one.get("system") == system), "")
