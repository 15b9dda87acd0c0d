"""What the identity table keeps of a Patient: sealed, since ID numbers, names, telephones and villages stand in it.

What is looked up are keyed numbers (`blinded`), so that nobody can try all ID numbers against a stolen table. They are made
of the numbers that older versions kept, so that an old table needs no look into the record to become a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kangyun.base.keys import vault
from kangyun.commons.population.decisions.matching import decode, encode
from kangyun.commons.population.model import Traits

PURPOSE = "population-identity"
# Plain features are a JSON array; sealed ones are base64.
PLAIN = "["


def kept(patient: str, of: Traits) -> str:
    """The sealed text of what is compared of a Patient."""
    return sealed(patient, of.ids, encode(of.features))


def sealed(patient: str, ids: Iterable[str], features: str) -> str:
    """The sealed text of ID numbers and encoded features."""
    return vault.seal(PURPOSE, f"{' '.join(ids)}\n{features}", patient)


def traits_of(row: Mapping[str, Any]) -> Traits:
    """What is compared of the Patient of a row with patient, numbers, features; raises Unopenable."""
    ids, features = opened(row["patient"], row["features"])
    return Traits(frozenset(row["numbers"]), ids, decode(features))


def opened(patient: str, text: str) -> tuple[tuple[str, ...], str]:
    """ID numbers and encoded features of a sealed text; raises Unopenable."""
    ids, _, features = vault.opened(PURPOSE, text, patient).partition("\n")
    return tuple(ids.split()), features


def blinded(numbers: Iterable[int]) -> list[int]:
    """The keyed numbers of hashes, in order and each once."""
    return sorted({*vault.blind_all(map(str, numbers))})
