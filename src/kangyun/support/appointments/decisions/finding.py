"""Finding a clinic: by symptom, by words, by distance."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from kangyun.base.text import fold, initials, person_syllables, sound, syllables
from kangyun.support.appointments.decisions.tables import rule

_EARTH_KM = 6371.0


def subjects(text: str) -> tuple[tuple[str, ...], bool]:
    """The subjects of care for symptoms that a text tells of, the likeliest first, and whether it may be an emergency."""
    folded = fold(text)
    found: dict[str, None] = {}
    urgent = False
    for row in rule("symptoms").table:
        if any(fold(word) in folded for words in row["words"].values() for word in words):
            found |= dict.fromkeys(row["departments"])
            urgent = urgent or bool(row.get("urgent"))
    return tuple(found), urgent


def words(doctor: str, *titles: str) -> str:
    """What a schedule is found by: its names folded, with their sound and its first letters."""
    spoken = [person_syllables(doctor)] if doctor else []
    spoken += [syllables(one) for one in titles if one]
    parts = [fold(one) for one in (doctor, *titles) if one]
    parts += ["".join(one) for one in spoken] + [initials(one) for one in spoken]
    return " ".join(dict.fromkeys(parts))


def wanted(text: str) -> str:
    """A search text as the words of schedules are written."""
    return sound(text) or fold(text)


def kilometres(here: tuple[float, float], there: tuple[float, float]) -> float:
    """The distance over the ground between two places of latitude and longitude in degrees (haversine)."""
    (a, b), (c, d) = (map(radians, one) for one in (here, there))
    half = sin((c - a) / 2) ** 2 + cos(a) * cos(c) * sin((d - b) / 2) ** 2
    return 2 * _EARTH_KM * asin(sqrt(half))
