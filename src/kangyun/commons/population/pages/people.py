"""A person as banners and lists show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kangyun.commons.population.decisions.card import holder_of, legal_name


@dataclass(frozen=True, slots=True)
class Shown:
    """A person for `ui.resident`; `id` is a Patient's, `identifier` is whole here and masked by what shows it."""

    id: str
    name: str
    sex: str
    born: str
    deceased: str
    identifier: str


def shown(person: dict[str, Any], patient_id: str) -> Shown:
    """Read a Person or Patient; an unnamed one shows a dash."""
    holder = holder_of(person)
    return Shown(
        patient_id, legal_name(person) or "—", str(person.get("gender") or "unknown"), str(person.get("birthDate", "")),
        str(person.get("deceasedDateTime", "")), holder.id_number if holder else "",
    )
