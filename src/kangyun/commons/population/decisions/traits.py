"""What the identity table keeps of a Patient, and how its sender and its doubles find it again."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from kangyun.base.keys import vault
from kangyun.commons.population.decisions.kept import blinded
from kangyun.commons.population.decisions.matching import Features, blocking_keys, features, meeting_keys
from kangyun.commons.population.decisions.residents import is_id_number, normal_id_number, normal_identifiers, telling
from kangyun.commons.population.model import FHIR_SOURCE, ID_NUMBER_SYSTEM, SENDER_SOURCE, Traits


def traits(patient: dict[str, Any]) -> Traits:
    """What is compared of a Patient."""
    patient = normal_identifiers(patient)
    return Traits(frozenset(_numbers(patient)), id_numbers(patient), features(patient))


def id_numbers(patient: dict[str, Any]) -> tuple[str, ...]:
    """The valid resident ID numbers of a Patient, 18 characters, former ones too; a mistyped one proves nothing."""
    told = (str(one.get("value")) for one in patient.get("identifier", []) if one.get("system") == ID_NUMBER_SYSTEM)
    return tuple(sorted({normal_id_number(one) for one in told if is_id_number(one)}))


def keys_of(of: Traits) -> list[int]:
    """Under which keys its doubles look for a Patient."""
    return list(_keys(of.features, vault.generation()))


@lru_cache(maxsize=256)
def _keys(features: Features, _generation: int) -> tuple[int, ...]:
    """Of one arrival they are asked for as locks, to look for others and to be kept."""
    return tuple(blinded(blocking_keys(features)))


def keys_made(of: Traits) -> list[int]:
    """As `keys_of`, where they are asked for once."""
    return blinded(blocking_keys(of.features))


def locks_of(of: Traits) -> list[int]:
    """For what two who bring many at once wait for each other; some of what one who brings a single Patient locks."""
    return [*of.numbers, *blinded(meeting_keys(of.features))]


def numbers_of(patient: dict[str, Any]) -> list[int]:
    """Under which keys a source looks for its own Patient: one for each telling identifier."""
    return _numbers(normal_identifiers(patient))


def _numbers(patient: dict[str, Any]) -> list[int]:
    return blinded(_hash("|".join(pair)) for pair in telling(patient))


def disagree(one: Traits, other: Traits) -> bool:
    """Whether two cannot be one person: each has an ID number, and none is the same."""
    return bool(one.ids and other.ids) and not set(one.ids) & set(other.ids)


def source_of(patient: dict[str, Any]) -> str:
    """Whose Patient it is: the sender in meta.source, else meta.source, else the managing organisation, else `fhir`."""
    source = str(patient.get("meta", {}).get("source", "")).partition("#")[0]
    if source:
        return unquote(source.removeprefix(SENDER_SOURCE))
    managing = patient.get("managingOrganization", {})
    return str(managing.get("reference") or managing.get("identifier", {}).get("value") or FHIR_SOURCE)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
