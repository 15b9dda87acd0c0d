"""What is said to the insurer and what it answers, in the words of the national interface (rules/interface.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from kangyun.base import rules
from kangyun.base.money import Fen, parse, plain
from kangyun.base.rules import Rule
from kangyun.support.insurance.decisions.policies import PACKAGE
from kangyun.support.insurance.model import SCENES, Bill, Insured, Line, Settlement, SoFar

_COMPARED = ("total", "fund", "serious", "supplement", "aid", "account", "cash")


def interface() -> Rule:
    """The rule with transactions and fields."""
    return rules.load(PACKAGE, "interface.yaml")


def transaction(name: str) -> str:
    """The number of a transaction."""
    return str(interface().map[name])


def amounts(figures: Mapping[str, Fen]) -> dict[str, str]:
    """Figures by their names there, in yuan; those that have none are left out."""
    return {theirs: plain(figures[ours]) for ours, theirs in interface().body["fields"].items() if ours in figures}


def figures(said: Mapping[str, Any]) -> dict[str, Fen]:
    """The figures that the insurer names, in fen. Raises ValueError for what is no amount."""
    return {ours: parse(str(said[theirs])) for ours, theirs in interface().body["fields"].items() if said.get(theirs) is not None}


def same(settlement: Mapping[str, Fen], said: Mapping[str, Fen]) -> bool:
    """Whether the insurer pays what we think: every payer's part is named and equal."""
    return all(said.get(name) == settlement[name] for name in _COMPARED)


def bill_told(bill: Bill, insured: Insured, settlement: Settlement) -> dict[str, Any]:
    """The input of a pre-settlement or a settlement: the visit, its lines and what we think it comes to."""
    visit: dict[str, Any] = {
        "psn_no": insured.member, "setl_date": bill.on.isoformat(), "med_type": str(11 + SCENES.index(bill.scene)),
        "hosp_lv": bill.level, "mdtrtarea_admvs": bill.area, "out_filing": bill.filing, "diseinfo": list(bill.diagnoses)}
    return {"data": {**visit, **amounts(settlement.figures)}, "feedetail": [_detail(line) for line in bill.lines]}


def _detail(line: Line) -> dict[str, Any]:
    told: dict[str, Any] = {
        "med_list_codg": line.code, "cnt": str(line.quantity), "pric": plain(line.unit_price), "det_item_fee_sumamt": plain(line.amount),
        "chrgitm_lv": line.kind, "selfpay_prop": line.rate}
    return told | ({} if line.limit is None else {"pric_uplmt_amt": plain(line.limit)})


def person_of(output: Mapping[str, Any]) -> tuple[Insured, dict[str, SoFar]]:
    """Who is insured, as the insurer says, and what was used in each year; `insurer` is not said. Raises KeyError, ValueError."""
    body, told = interface().body, output["insuinfo"]
    insured = Insured(
        str(told["psn_no"]), "", str(told["insuplc_admdvs"]), body["insutype"][str(told["insutype"])], body["psn_type"][str(told["psn_type"])],
        aid=str(told.get("maf_type", "none")), supplement=str(told.get("cvlserv_flag", "none")),
        chronic=tuple(map(str, told.get("opsp_dise", ()))), filing=str(told.get("out_filing", "none")), valid=told.get("psn_insu_stas") == "1")
    years = {str(year): _so_far(one, told) for year, one in output.get("cuminfo", {}).items()}
    return insured, years


def _so_far(said: Mapping[str, Any], told: Mapping[str, Any]) -> SoFar:
    values = {name: int(value) if name == "admissions" else parse(str(value)) for name, value in said.items() if name in SoFar._fields}
    return SoFar(**values)._replace(account=parse(str(told.get("balc", "0"))))


def so_far_told(so_far: SoFar) -> dict[str, Any]:
    """The other way, for the simulator."""
    return {name: value if name == "admissions" else plain(value) for name, value in so_far._asdict().items() if name != "account"}


def lines_of(details: list[dict[str, Any]]) -> tuple[Line, ...]:
    """The lines of a bill as the insurer reads them."""
    return tuple(_line(one) for one in details)


def _line(said: Mapping[str, Any]) -> Line:
    quantity = Fraction(str(said["cnt"]))
    limit = said.get("pric_uplmt_amt")
    return Line(
        str(said["med_list_codg"]), "", int(quantity) if quantity.denominator == 1 else quantity, parse(str(said["pric"])), str(said["chrgitm_lv"]),
        int(said["selfpay_prop"]), parse(str(limit)) if limit is not None else None)


def check_example(_rule: Rule, given: Mapping[str, Any]) -> Any:
    """Figures there and back, and codes."""
    if "fields" in given:
        return amounts(given["fields"])
    return figures(given["figures"]) if "figures" in given else interface().body["insutype"][given["insutype"]]
