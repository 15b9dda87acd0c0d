"""Judgements on a prescription's way: until when it is valid, which ways are open, what may be given instead, how long it is kept."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from functools import cache
from typing import Any

from kangyun.base import lifecycles, money
from kangyun.base.lifecycles import Lifecycle
from kangyun.base.rules import Rule, load
from kangyun.support.drugs.model import Drug, Line, Prescription
from kangyun.support.drugs.model.circulation import Priced

_ROOM = "kangyun.support.drugs"


def lifecycle() -> Lifecycle:
    """The life of a prescription."""
    return lifecycles.load(_ROOM)


def _said() -> Mapping[str, Any]:
    return load(_ROOM, "circulation.yaml").map


def valid_until(setting: str, valid_days: int, on: date) -> date:
    """The last day on which a prescription may be dispensed: the day of issue counts, three days are the most."""
    days = max(valid_days, _said()["valid"].get(setting, 1))
    return on + timedelta(days=min(days, _said()["most"]) - 1)


def review_minutes(setting: str, kind: str = "western") -> int:
    """Within how many minutes of its signature a prescription should be judged."""
    asked = _said()["review"]
    return int(asked["herbal"] if kind == "herbal" and setting != "emergency" else asked.get(setting, asked["outpatient"]))


def minutes(of: str) -> int:
    """How long a claim or a lock holds."""
    return int(_said()[of])


def most_tries() -> int:
    """How many wrong codes a prescription takes."""
    return int(_said()["tries"])


def most_weeks() -> int:
    """How many weeks a long-term prescription may be for."""
    return int(_said()["long_weeks"]["most"])


def keep_until(sheet: str, on: date, *, setting: str = "", online: bool = False, expires: date | None = None) -> date:
    """The day until which a prescription is kept; sold online, at least a year past the expiry of the drug."""
    years: Mapping[str, int] = load(_ROOM, "storage_periods.yaml").map
    ends = [_later(on, years.get(sheet, years["ordinary"]))]
    if setting == "internet":
        ends.append(_later(on, years["internet"]))
    if online:
        ends.append(_later(on, years["online"]))
        if expires:
            ends.append(_later(expires, years["past_expiry"]))
    return max(ends)


def _later(on: date, years: int) -> date:
    year = on.year + years
    if (on.month, on.day) == (2, 29) and not calendar.isleap(year):
        return date(year, 3, 1)
    return on.replace(year=year)


def way_closed(way: str, controls: Iterable[str], routes: Iterable[str], *, real_name: bool = True) -> str:
    """Why a prescription cannot go a way: control, route, real-name; '' when it can."""
    said = load(_ROOM, "online_sale.yaml").map
    if way == "hospital":
        return ""
    if set(controls) & set(said["controls"]):
        return "control"
    if set(routes) & set(said["routes"]):
        return "route"
    return "real-name" if way in said["real_name"] and not real_name else ""


def not_the_same(prescribed: Drug, other: Drug) -> str:
    """What keeps one drug from being given in place of another: the name of what differs; '' when nothing does."""
    said = load(_ROOM, "substitution.yaml").map
    facts = [_facts(prescribed), _facts(other)]
    for name in said["equal"]:
        if facts[0][name] != facts[1][name]:
            return str(name)
    if prescribed.control not in said["controls"] or other.control not in said["controls"]:
        return "control"
    return "narrow" if prescribed.groups & set(said["never"]) else ""


def _facts(drug: Drug) -> dict[str, str]:
    return {"atc": drug.atc, "generic": drug.zh, "form": drug.form, "route": drug.dose.route, "strength": f"{drug.strength.value:g} {drug.strength.unit}"}


def storage_of(drugs: Iterable[Drug]) -> str:
    """How the most delicate of some drugs is stored."""
    order: list[str] = load(_ROOM, "temperature.yaml").body["order"]
    return max((one.storage for one in drugs), key=lambda storage: order.index(storage) if storage in order else 0, default=order[0])


def is_logged(storage: str) -> bool:
    """Whether the way of a parcel is logged by temperature."""
    return bool(load(_ROOM, "temperature.yaml").map.get(storage, {}).get("logged"))


def cold_chain(storage: str, celsius: Sequence[Decimal]) -> str:
    """`good`, `broken` when a reading is outside of the limits, `missing` when there is none."""
    said: Mapping[str, Any] = load(_ROOM, "temperature.yaml").map.get(storage, {})
    if not said.get("logged"):
        return "good"
    if not celsius:
        return "missing"
    inside = all(Decimal(str(said["least"])) <= one <= Decimal(str(said["most"])) for one in celsius)
    return "good" if inside else "broken"


def limits(storage: str) -> tuple[float, float] | None:
    """Between which degrees Celsius a parcel stays; None when nobody asks."""
    said: Mapping[str, Any] = load(_ROOM, "temperature.yaml").map.get(storage, {})
    return (said["least"], said["most"]) if said.get("logged") else None


@dataclass(frozen=True, slots=True)
class Look:
    """How a sheet looks: its title and mark in zh and en, the colour of its paper as red, green, blue."""

    title: Mapping[str, str]
    mark: Mapping[str, str]
    colour: tuple[float, float, float]


@cache
def looks() -> Mapping[str, Look]:
    """How each kind of sheet looks."""
    rows = load(_ROOM, "sheets.yaml").table
    return {row["sheet"]: Look({"zh": row["zh"], "en": row["en"]}, row["mark"], tuple(row["colour"])) for row in rows}


def smallest(line: Line, drug: Drug) -> Decimal:
    """How many of the drug's smallest unit a line asks for; a line in packages asks for whole packages."""
    quantity = Decimal(str(line.quantity))
    if line.quantity_unit == drug.package and drug.package != drug.unit:
        return quantity * Decimal(str(drug.per_package))
    return quantity


def priced(place: int, line: Line, drug: Drug, price: int) -> Priced:
    """What a line costs at a price of one package in fen; part of a package costs its part."""
    quantity = smallest(line, drug) / Decimal(str(drug.per_package))
    return Priced(
        place, drug.code, drug.zh, quantity.normalize(), drug.package, price, money.rounded(quantity * price), drug.insurance, drug.first_pay,
        drug.limit, drug.insurance_code)


def packages(line: Line, drug: Drug, a_day: float) -> int:
    """How many packages a line needs: dose, times a day and days, rounded up to whole ones."""
    per_unit = drug.strength.value if line.dose_unit == drug.strength.unit and drug.strength.value else 1
    units = Decimal(str(line.dose)) / Decimal(str(per_unit)) * Decimal(str(a_day)) * Decimal(str(line.days))
    return max(1, int((units / Decimal(str(drug.per_package or 1))).to_integral_value(ROUND_CEILING)))


def strictest(drugs: Iterable[Drug]) -> str:
    """The strictest control class among drugs, '' when there is none."""
    order: list[str] = load(_ROOM, "online_sale.yaml").map["controls"]
    return min((one.control for one in drugs if one.control), key=lambda control: order.index(control) if control in order else len(order), default="")


def sheet_for(said: Prescription, drugs: Iterable[Drug], *, child: bool) -> str:
    """Which sheet a prescription is written on, when the doctor has not said: by control class, then setting, then age."""
    control = strictest(drugs)
    if control in {"narcotic", "psychotropic1"}:
        return "narcotic"
    if control in {"psychotropic2", "toxic"}:
        return control
    if said.setting == "emergency":
        return "emergency"
    return "paediatric" if child else said.sheet


def check_circulation(_rule: Rule, given: Mapping[str, Any]) -> Any:
    """Judge an example of validity or of a clock."""
    if "review" in given:
        return review_minutes(given["review"], given.get("kind", "western"))
    return valid_until(given["setting"], given["valid_days"], date.fromisoformat(given["day"])).isoformat()


def check_storage(_rule: Rule, given: Mapping[str, Any]) -> str:
    """Judge an example of a storage period."""
    expires = date.fromisoformat(given["expires"]) if "expires" in given else None
    return keep_until(
        given["sheet"], date.fromisoformat(given["day"]), setting=given.get("setting", ""), online=given.get("online", False), expires=expires).isoformat()


def check_way(_rule: Rule, given: Mapping[str, Any]) -> str:
    """Judge an example of a way."""
    return way_closed(given["way"], given["controls"], given["routes"], real_name=given.get("real_name", True))


def check_substitution(rule: Rule, given: Mapping[str, Any]) -> str:
    """Judge an example of a substitution: the first thing that differs."""
    return next((name for name in rule.map["equal"] if given[name][0] != given[name][1]), "")


def check_temperature(_rule: Rule, given: Mapping[str, Any]) -> str:
    """Judge an example of a temperature log."""
    return cold_chain(given["storage"], [Decimal(str(one)) for one in given["celsius"]])


def check_sheet(_rule: Rule, given: str) -> list[float]:
    """The colour of a sheet."""
    return list(looks()[given].colour)
