"""SMART Health Links: what stands in the link, and the encrypted file behind it.

https://hl7.org/fhir/uv/smart-health-cards-and-links/links-specification.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kangyun.base import rules

_ALGORITHMS = ["dir", "A256GCM", "DEF"]
_DOCUMENT = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the region allows: days to choose from, wrong passcodes until a link is closed, lengths in characters."""

    days: tuple[int, ...]
    tries: int
    passcode_least: int
    label_most: int


def terms() -> Terms:
    """The terms of rules/sharing.yaml."""
    found = rules.load("kangyun.commons.population", "sharing.yaml").map
    return Terms(tuple(found["days"]), found["tries"], found["passcode_least"], found["label_most"])


def link(payload: Mapping[str, Any]) -> str:
    """The link of a payload, as it stands in a QR code."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return "shlink:/" + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def payload(url: str, key: str, expires: int, label: str, *, passcode: bool) -> dict[str, Any]:
    """What a link says; `key` is 32 bytes in base64url, `expires` seconds since 1970.

    P: a passcode is asked for, and a manifest names the files; U: the address itself gives the one file.
    """
    named = {"label": label} if label else {}
    return {"url": url, "flag": "P" if passcode else "U", "key": key, "exp": expires, **named, "v": 1}


def encrypted(document: bytes, key: bytes) -> str:
    """A FHIR document as a compact JWE, compressed (RFC 7516, dir with A256GCM)."""
    from joserfc import jwe  # noqa: PLC0415 - loads a library that few need
    from joserfc.jwk import OctKey  # noqa: PLC0415

    header = {"alg": "dir", "enc": "A256GCM", "cty": _DOCUMENT, "zip": "DEF"}
    return jwe.encrypt_compact(header, document, OctKey.import_key(key), algorithms=_ALGORITHMS)


def check_example(_rule: rules.Rule, given: Mapping[str, Any]) -> dict[str, Any]:
    """The worked example: the payload of a link."""
    return payload(given["url"], given["key"], given["expires"], given["label"], passcode=given["passcode"])
