"""The catalogue: rows of rules/catalogue and rules/herbs, or of a region's own list, become drugs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.diagnoses import PACKAGE, expanded
from kangyun.support.drugs.model import Child, Dose, Drug, Reduction, Strength

_INSURANCE = re.compile(r"([ABC])(\d{1,2})?")
_ADULT = 216
_LIVER = ("A", "B", "C")
_GROUPS_OF_DOCTORS = ("narcotic", "psychotropic1", "psychotropic2", "toxic", "radioactive", "precursor", "")


class RowError(ValueError):
    """A row cannot be a drug; `field` is the key that cannot be right, `row` where nothing better is known."""

    def __init__(self, where: str, field: str) -> None:
        super().__init__(f"{where}: {field}")
        self.field = field.partition(":")[0]


@cache
def _forms(_edition: int) -> dict[str, Mapping[str, Any]]:
    return {str(row["form"]): row for row in rules.load(PACKAGE, "forms.yaml").table}


def forms() -> dict[str, Mapping[str, Any]]:
    """The dosage forms by name, as in rules/forms.yaml."""
    return _forms(id(rules.load(PACKAGE, "forms.yaml")))


def drug_of(row: Mapping[str, Any], rule: str = "", certainty: str = "memory", source: str = "") -> Drug:
    """A drug from a row with the keys of rules/catalogue; RowError names the field that cannot be right."""
    try:
        return _drug(row, certainty, source)
    except KeyError as missing:
        raise RowError(f"{rule} {row.get('code', '?')}", str(missing.args[0])) from missing
    except (TypeError, ValueError, IndexError) as error:
        raise RowError(f"{rule} {row.get('code', '?')}", str(error) if str(error).partition(":")[0] in row else f"row: {error}") from error


def _drug(row: Mapping[str, Any], certainty: str, source: str) -> Drug:
    form = forms()[str(row["form"])]
    insurance, first_pay = _insurance(str(row.get("ins", "C")))
    number = int(row["number"])
    return Drug(
        code=str(row["code"]), number=number, kind=str(row.get("kind", "western")), zh=str(row["zh"]), en=str(row["en"]),
        form=str(row["form"]), spec=_specification(row, form), atc=str(row.get("atc", "")), unit=str(row.get("unit", form["unit"])),
        package=str(row.get("package", form["package"])), per_package=_positive(row, "pack"), strength=_strength(str(row["per"])),
        dose=_dose(row), trade=_words(row, "trade"), national=str(row.get("national", f"DEMO{number:010d}")),
        insurance_code=str(row.get("insurance_code", f"DEMO-X{row.get('atc', '')!s:_<7}{number:08d}")), essential=bool(row.get("ess")),
        insurance=insurance, first_pay=first_pay, price=int(row.get("price", 0)), limit=int(row.get("limit", 0)),
        control=_control(str(row.get("control", ""))), tier=str(row.get("tier", "")), storage=str(row.get("storage", "room")),
        renal=_reductions(row.get("renal")), hepatic=_reductions(row.get("hepatic")), pregnancy=str(row.get("pregnancy", "ok")),
        lactation=str(row.get("lactation", "ok")), indications=_prefixes(row, "for"), never=_prefixes(row, "never"),
        seldom=_prefixes(row, "seldom"), skin_test=bool(row.get("skin")), groups=frozenset(_words(row, "groups")),
        contains=_words(row, "contains"), release=str(form["release"]), routes=tuple(form["routes"]), picture=str(form["picture"]),
        usual=_pair(row.get("grams")) or (0, 0), poison=str(row.get("poison", "")), decoction=str(row.get("decoction", "")),
        certainty=str(row.get("certainty", certainty)), source=str(row.get("source", source)),
    )


def _specification(row: Mapping[str, Any], form: Mapping[str, Any]) -> str:
    """What stands on the package; told by strength and number where the row says nothing."""
    if "spec" in row:
        return str(row["spec"])
    strength = str(row["per"]).replace(" ", "")
    return strength if row["pack"] == 1 else f"{strength}×{row['pack']}{row.get('unit', form['unit'])}"


def _strength(text: str) -> Strength:
    value, _, unit = text.partition(" ")
    if float(value) <= 0 or not unit:
        raise ValueError(f"per: {text}")
    return Strength(float(value), unit)


def _positive(row: Mapping[str, Any], key: str) -> float:
    value = float(row[key])
    if value <= 0:
        raise ValueError(key)
    return value


def _control(text: str) -> str:
    if text not in _GROUPS_OF_DOCTORS:
        raise ValueError(f"control: {text}")
    return text


def _insurance(text: str) -> tuple[str, float]:
    """`B10` is class B with a tenth paid first."""
    match = _INSURANCE.fullmatch(text)
    if match is None:
        raise ValueError(f"ins: {text}")
    return match[1], int(match[2] or 0) / 100


def _words(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(map(str, row.get(key) or ()))


def _prefixes(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return expanded(_words(row, key))


def _pair(given: Any) -> tuple[float, float] | None:
    return (float(given[0]), float(given[1])) if given else None


def _dose(row: Mapping[str, Any]) -> Dose:
    least, most = _pair(row.get("grams")) or (0, 0)
    unit, route, frequency, usual, single, daily = row.get("dose") or ("g", "po", "qd", least, row["grams"][1], most)
    return Dose(str(unit), str(route), str(frequency), float(usual), float(single), float(daily), _pair(row.get("elderly")), _child(row.get("child")))


def _child(given: Any) -> Child | None:
    """A number is the age in months from which on it may be given; a triple adds the most per kilogram, at once and a day."""
    if given is None:
        return None
    if isinstance(given, int | float):
        return Child(float(given))
    since, single, daily = given
    return Child(float(since), None if single is None else float(single), None if daily is None else float(daily))


def _reductions(given: Mapping[Any, str] | None) -> tuple[Reduction, ...]:
    """The reductions of a kidney (keys are eGFR) or liver (keys are classes), the strictest first."""
    found = [Reduction(act, liver=key) if key in _LIVER else Reduction(act, below=float(key)) for key, act in (given or {}).items()]
    return tuple(sorted(found, key=lambda one: one.below if one.below is not None else -_LIVER.index(one.liver)))


def rows_of(rule: Rule) -> Iterator[dict[str, Any]]:
    """The rows of a rule file, each with what its class says before what it says itself."""
    classes: Mapping[str, Mapping[str, Any]] = rule.body.get("classes", {})
    for row in rule.table:
        yield {**classes.get(str(row.get("class", "")), {}), **row}


def drugs_of(rule: Rule) -> list[Drug]:
    """The drugs of a rule file."""
    told = "; ".join(str(one["title"]) for one in rule.source)
    return [drug_of(row, rule.id, rule.certainty, told) for row in rows_of(rule)]


def built_in() -> dict[str, Drug]:
    """All drugs of the rule files by code, herbs among them. RowError where two have one code or number."""
    names = [name for name in rules.names(PACKAGE) if name.startswith("catalogue/") or name == "herbs/herbs.yaml"]
    found: dict[str, Drug] = {}
    numbers: set[int] = set()
    for drug in (drug for name in names for drug in drugs_of(rules.load(PACKAGE, name))):
        if drug.code in found or drug.number in numbers:
            raise RowError(f"two drugs are {drug.code} or {drug.number}", "code")
        found[drug.code] = drug
        numbers.add(drug.number)
    return found


def lengthened(listed: Iterable[Drug], to: Mapping[str, Drug]) -> dict[str, Drug]:
    """A catalogue with a region's own list over it: same code, its own row."""
    return {**to, **{drug.code: drug for drug in listed}}


def is_child(months: float) -> bool:
    """Whether an age in months is under 18 years."""
    return months < _ADULT


def check_example(rule: Rule, given: Any) -> Any:
    """What a row says: ATC code, unit, daily most, insurance class."""
    drug = next(one for one in drugs_of(rule) if one.code == given)
    return {"atc": drug.atc, "unit": drug.unit, "daily": drug.dose.daily, "insurance": drug.insurance}


def check_form(rule: Rule, given: Any) -> str:
    """How a form is released."""
    return next(str(row["release"]) for row in rule.table if row["form"] == given)
