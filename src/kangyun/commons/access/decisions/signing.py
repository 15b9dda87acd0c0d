"""What exactly is signed, how it is written down, and whether a signature still covers what stands there now.

A signature is a JWS with detached content (RFC 7515, appendix F). Its payload is the canonical JSON of the list of what is
signed, without `meta`, which the store writes; its header names the versions signed, by whom, what for and when, so that a
signature moved to other content, another version or another purpose is no signature.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from kangyun.base.fhir import json as fhir_json
from kangyun.base.keys import base64url
from kangyun.base.rules import Rule, load

_ROOM = "kangyun.commons.access"
FORMAT = "application/jose"
_TARGET_FORMAT = "application/fhir+json;canonicalization=http://hl7.org/fhir/canonicalization/json#document"
_TYPES = "urn:iso-astm:E1762-95:2013"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """A resource with an id, and the version of it that is signed: the one that it has, or will have when it is written."""

    resource: Json
    version: int = 1

    @property
    def target(self) -> str:
        """The version as a reference."""
        return f"{self.resource['resourceType']}/{self.resource['id']}/_history/{self.version}"


@dataclass(frozen=True, slots=True)
class Head:
    """What a signature says of itself; `practitioner` is an id, `signed` a FHIR instant."""

    algorithm: str
    key: str
    practitioner: str
    purpose: str
    signed: str
    targets: tuple[str, ...]


def algorithms() -> tuple[str, ...]:
    """The algorithms that every signature is made with."""
    return tuple(_rule().body["algorithms"])


@cache
def signable() -> frozenset[str]:
    """The types of resources that may be signed."""
    return frozenset(_rule().body["signable"])


def is_purpose(word: str) -> bool:
    """Whether it is something that somebody may sign for."""
    return word in _rule().body["purposes"]


@cache
def _rule() -> Rule:
    return load(_ROOM, "signing.yaml")


def payload(resources: Sequence[Json]) -> bytes:
    """The exact content of resources as bytes that are the same wherever they are made."""
    return fhir_json.canonical([{name: value for name, value in one.items() if name != "meta"} for one in resources])


def header(head: Head) -> str:
    """The protected header of a signature, encoded."""
    told = {"alg": head.algorithm, "cty": "application/fhir+json", "kid": head.key, "purpose": head.purpose, "sigT": head.signed,
            "sub": head.practitioner, "targets": list(head.targets)}
    return base64url(orjson.dumps(told, option=orjson.OPT_SORT_KEYS))


def signing_input(encoded_header: str, content: bytes) -> bytes:
    """The bytes that are signed (RFC 7515, 5.1)."""
    return f"{encoded_header}.{base64url(content)}".encode()


def detached(encoded_header: str, signature: bytes) -> str:
    """A signature as FHIR keeps it: the JWS without its content, in base64."""
    return base64.b64encode(f"{encoded_header}..{base64url(signature)}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Detached:
    """A signature as it was read: its header, the header's own text, and the signature's bytes."""

    head: Head
    encoded_header: str
    signature: bytes


def attached(data: object) -> Detached | None:
    """A detached JWS of ours read back; None for anything else."""
    try:
        encoded, nothing, signature = base64.b64decode(str(data), validate=True).decode("ascii").split(".")
        said = orjson.loads(_unbase64url(encoded))
        head = Head(said["alg"], said["kid"], said["sub"], said["purpose"], said["sigT"], tuple(said["targets"]))
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None
    return None if nothing else Detached(head, encoded, _unbase64url(signature))


def _unbase64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def key_ids(resource: Mapping[str, Any]) -> list[str]:
    """The ids of the keys that the signatures of a Provenance name, as far as they can be read."""
    read = [attached(one.get("data")) for one in resource.get("signature", ()) if isinstance(one, dict)]
    return [one.head.key for one in read if one is not None]


def provenance(id_: str, head: Head, institution: str | None, signatures: Sequence[tuple[Head, str]]) -> Json:
    """The Provenance of a signing: each (head, data) is one Signature."""
    who: Json = {"reference": f"Practitioner/{head.practitioner}"}
    agent: Json = {"type": {"coding": [{"system": _PARTICIPATION, "code": "author" if head.purpose == "author" else "verifier"}]}, "who": who}
    if institution:
        agent["onBehalfOf"] = {"reference": f"Organization/{institution}"}
    kind = {"system": _TYPES, **_rule().body["purposes"][head.purpose]}
    return {
        "resourceType": "Provenance", "id": id_, "target": [{"reference": one} for one in head.targets], "recorded": head.signed,
        "agent": [agent], "signature": [
            {"type": [kind], "when": one.signed, "who": who, "targetFormat": _TARGET_FORMAT, "sigFormat": FORMAT, "data": data}
            for one, data in signatures
        ],
    }


def covers(signed: Json, now: Json) -> bool:
    """Whether what stands there now is what was signed, but for words of state that may move on."""
    moving = _rule().map.get(str(signed.get("resourceType")), ())
    return payload([_fixed(signed, moving)]) == payload([_fixed(now, moving)])


def _fixed(resource: Json, moving: Sequence[str]) -> Json:
    kept = dict(resource)
    for path in moving:
        outer, _, inner = path.partition(".")
        if not inner:
            kept.pop(outer, None)
        elif isinstance(kept.get(outer), dict):
            kept[outer] = {name: value for name, value in kept[outer].items() if name != inner}
    return kept


def check_example(_rule: Rule, given: Mapping[str, Any]) -> bool:
    """Whether a signature covers what stands there now."""
    return covers(given["signed"], given["now"])
