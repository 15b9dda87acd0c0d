"""Pharmacies and couriers: which there are, how far away, and what is on their shelves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kangyun.commons.access import Handle
from kangyun.support.drugs.queries.stock import having

KIND_SYSTEM = "urn:kangyun:institution-kind"
_EARTH_KM = 6371.0
_GEOLOCATION = "http://hl7.org/fhir/StructureDefinition/geolocation"


@dataclass(frozen=True, slots=True)
class Place:
    """A pharmacy that a resident may choose. `km`: None where nobody knows; `complete`: everything is on the shelf."""

    id: str
    name: str
    address: str
    phone: str
    km: float | None
    complete: bool


async def is_kind(own: Handle, organization: str, kind: str) -> bool:
    """Whether an Organization is an institution of a kind (rules/kinds.yaml of institutions)."""
    found = await own.read("Organization", organization) if organization else None
    return found is not None and found.get("active") is not False and kind in _kinds(found)


def _kinds(organization: Mapping[str, Any]) -> set[str]:
    return {str(one.get("code")) for concept in organization.get("type", ()) for one in concept.get("coding", ()) if one.get("system") == KIND_SYSTEM}


async def of_kind(own: Handle, kind: str, most: int = 200) -> list[dict[str, Any]]:
    """The Organizations of a kind, by name."""
    query = [("type", f"{KIND_SYSTEM}|{kind}"), ("_sort", "name"), ("_count", str(most))]
    return [one for one in (await own.search("Organization", query)).resources if one.get("active") is not False]


async def pharmacies(own: Handle, wanted: Mapping[str, Decimal], near: tuple[float, float] | None) -> list[Place]:
    """Retail pharmacies: those that have everything first, then the nearest. near: latitude and longitude."""
    found = await of_kind(own, "pharmacy")
    ids = [str(one["id"]) for one in found]
    async with own.connection() as connection:
        shelves = await having(connection, ids, list(wanted))
    spots = await _positions(own, ids)
    places = [_place(one, spots.get(str(one["id"])), near, complete=_complete(shelves.get(str(one["id"]), {}), wanted)) for one in found]
    return sorted(places, key=lambda place: (not place.complete, place.km is None, place.km or 0.0, place.name))


def _complete(shelf: Mapping[str, Decimal], wanted: Mapping[str, Decimal]) -> bool:
    return all(shelf.get(code, Decimal(0)) >= amount for code, amount in wanted.items())


async def _positions(own: Handle, ids: Sequence[str]) -> dict[str, tuple[float, float]]:
    if not ids:
        return {}
    query = [("organization", ",".join(f"Organization/{one}" for one in ids)), ("_count", "500")]
    found: dict[str, tuple[float, float]] = {}
    for one in (await own.search("Location", query)).resources:
        position = one.get("position", {})
        if "latitude" in position and "longitude" in position:
            owner = str(one.get("managingOrganization", {}).get("reference", "")).removeprefix("Organization/")
            found[owner] = (float(position["latitude"]), float(position["longitude"]))
    return found


def _place(one: Mapping[str, Any], spot: tuple[float, float] | None, near: tuple[float, float] | None, *, complete: bool) -> Place:
    address: dict[str, Any] = next(iter(one.get("address", ())), {})
    phone = next((str(told.get("value", "")) for told in one.get("telecom", ()) if told.get("system") == "phone"), "")
    km = _apart(spot, near) if spot and near else None
    return Place(str(one["id"]), str(one.get("name", "")), str(address.get("text") or "".join(address.get("line", ()))), phone, km, complete)


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Kilometres between two points as the crow flies (haversine)."""
    (north, east), (second_north, second_east) = (tuple(map(math.radians, point)) for point in (one, other))
    half = math.sin((second_north - north) / 2) ** 2 + math.cos(north) * math.cos(second_north) * math.sin((second_east - east) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(half))


async def home_of(own: Handle, patient: str) -> tuple[float, float] | None:
    """Where somebody lives: the geolocation of the address, else where the institution that keeps the Patient is; None: unknown."""
    found = await own.read("Patient", patient) or {}
    for address in found.get("address", ()):
        for extension in address.get("extension", ()):
            if extension.get("url") == _GEOLOCATION:
                parts = {str(one.get("url")): one.get("valueDecimal") for one in extension.get("extension", ())}
                if parts.get("latitude") is not None and parts.get("longitude") is not None:
                    return float(str(parts["latitude"])), float(str(parts["longitude"]))
    keeper = str(found.get("managingOrganization", {}).get("reference", "")).removeprefix("Organization/")
    return (await _positions(own, [keeper])).get(keeper) if keeper else None
