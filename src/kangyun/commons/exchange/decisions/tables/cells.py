"""Converters of cells: what stands in a cell becomes a value that FHIR takes, or a Fault that says why not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from kangyun.base import rules
from kangyun.commons.exchange.decisions import codes, quantities
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.decisions.tables import dates
from kangyun.commons.exchange.decisions.tables.grids import Cell, written
from kangyun.commons.exchange.decisions.terms import term_of
from kangyun.commons.exchange.model import Fault
from kangyun.commons.population import is_id_number, normal_id_number, solar_of

_PACKAGE = "kangyun.commons.exchange"
_BLANKS = re.compile(r"\s+")
_PARTS = re.compile(r"[、,，;；/\n|]+")
_ORDINAL = re.compile(r"^[(（]?[0-9]{1,2}[)）.、:：]\s*(?=[^\d\s])")
_NUMBER = re.compile(r"([<>≤≥]?\s*[+-]?\d+(?:\.\d+)?)\s*(.*)")
_PRESSURE = re.compile(r"(\d{2,3})\s*[/／\\]\s*(\d{2,3})\s*(?:mmhg|毫米汞柱)?", re.IGNORECASE)
_PHONE = re.compile(r"\+?[\d\-() ]{5,24}(?:[转x]\d{1,6})?")
_PHONE_PARTS = re.compile(r"[、,，;；/\s]+(?=\+?\d{5,})")
_FORMULA = re.compile(r"=.+|[@+-]\s*[A-Za-z]\w*\s*[(|!].*", re.DOTALL)
_LATIN_OR_HAN = re.compile(r"[^\W\d_]")
_AGE = re.compile(r"(\d{1,3})(?:\.\d+)?(?:周?岁.*|y.*)?", re.IGNORECASE)
_BABY = re.compile(r"\d{1,3}(?:\.\d+)?个?(?:月|月龄|天|日龄|日|小时|m|d)(?:\d+天)?", re.IGNORECASE)
_OLDEST = 130
_TEXT_LIMIT = 4000
_LONGEST_EMPTY = 8


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a rule: what it is called, where its value goes, how it is read."""

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


Converter = Callable[[Cell, Column, Sender], Any]


@lru_cache(maxsize=1)
def _empty_words() -> frozenset[str]:
    return frozenset(["", *(str(one) for one in rules.load(_PACKAGE, "tables/words.yaml").body["empty"])])


def is_empty(cell: Cell) -> bool:
    """Whether a cell tells nothing: blank, or one of the words that people fill in for nothing."""
    if cell is None:
        return True
    if not isinstance(cell, str):
        return False
    # No such word is longer.
    return cell.isspace() if len(cell) > _LONGEST_EMPTY else cell.strip().lower() in _empty_words()


def is_formula(cell: Cell) -> bool:
    """Whether a text cell would be computed by a spreadsheet program that opens it."""
    return isinstance(cell, str) and len(cell) > 1 and cell[0] in "=@+-" and _FORMULA.fullmatch(cell) is not None


def plain(cell: Cell) -> str:
    """A cell as text with half-width signs, single blanks, and without the apostrophe that keeps numbers as text."""
    text = written(cell)
    if text.isascii():
        return text.lstrip("'") if "  " not in text else _BLANKS.sub(" ", text).lstrip("'")
    return _BLANKS.sub(" ", unicodedata.normalize("NFKC", text)).strip().lstrip("'‘’`")


def text(cell: Cell, _column: Column, _sender: Sender) -> str:
    """Any text, without signs that no text holds."""
    found = written(cell)
    if len(found) > _TEXT_LIMIT:
        raise Fault("exchange.cell-too-long", params={"limit": str(_TEXT_LIMIT)})
    return "".join(sign for sign in found if sign.isprintable() or sign in "\n\t")


def name(cell: Cell, _column: Column, _sender: Sender) -> str:
    """A person's name: letters, not a number and not a word of another column."""
    if not isinstance(cell, str):
        raise Fault("exchange.bad-name")
    found = plain(cell)
    if not fits_name(cell):
        raise Fault("exchange.bad-name")
    # Two characters are set apart to fill the column: 张　三.
    return found if found.isascii() else re.sub(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])", "", found)


def fits_name(cell: Cell) -> bool:
    """Whether a cell can be a name."""
    found = plain(cell)
    return (
        isinstance(cell, str)
        and 0 < len(found) <= 60
        and found not in {"男", "女", "是", "否", "未知"}
        and _LATIN_OR_HAN.search(found) is not None
        and sum(sign.isdigit() for sign in found) == 0
    )


def id_number(cell: Cell, _column: Column, _sender: Sender) -> str:
    """A resident ID number of 18 characters with a right check digit. Raises Fault."""
    if isinstance(cell, float | int) and cell >= 10**15:
        # Excel keeps 15 digits of a number; the last three of an ID number are then lost for good.
        raise Fault("exchange.id-number-rounded", code="102")
    found = plain(cell).replace(" ", "").replace("-", "").upper()
    if re.fullmatch(r"\d\.\d+E\+\d+", found):
        raise Fault("exchange.id-number-rounded", code="102")
    if not is_id_number(found):
        raise Fault("exchange.bad-id-number", code="102")
    return normal_id_number(found)


def fits_id_number(cell: Cell) -> bool:
    """Whether a cell has at least the look of an ID number or another document's."""
    found = plain(cell).replace(" ", "")
    return sum(sign.isdigit() for sign in found) >= 6 and len(found) <= 25 and not _has_han(found)


def number(cell: Cell, _column: Column, _sender: Sender) -> str:
    """An identifier: letters and digits."""
    found = plain(cell).replace(" ", "")
    if not re.fullmatch(r"[\w\-./*#()]{1,64}", found) or _FORMULA.fullmatch(found):
        raise Fault("exchange.bad-number", code="102")
    return found


def birth(cell: Cell, _column: Column, _sender: Sender) -> str:
    """A date of birth; one of the lunar calendar becomes the solar day. Raises Fault."""
    found, lunar = dates.to_date(cell)
    if not lunar:
        return found
    # Of a lunar year alone the solar one is the same but for its last weeks.
    solar = solar_of(found) if len(found) == 10 else found[:4]
    if solar is None:
        raise Fault("exchange.bad-lunar-date", code="102")
    return solar


def age(cell: Cell, _column: Column, _sender: Sender) -> int | None:
    """Full years; None for what tells none, since an age only helps to recognise somebody and is kept nowhere."""
    found = plain(cell).replace(" ", "")
    if _BABY.fullmatch(found):
        return 0
    match = _AGE.fullmatch(found)
    return int(match[1]) if match and int(match[1]) <= _OLDEST else None


def fits_date(cell: Cell) -> bool:
    """Whether a cell has at least the look of a date."""
    return not isinstance(cell, str) or sum(sign.isdigit() for sign in cell) >= 4 or "年" in cell or "月" in cell


def date(cell: Cell, _column: Column, _sender: Sender) -> str:
    """A FHIR date. Raises Fault."""
    return dates.to_date(cell)[0]


def moment(cell: Cell, _column: Column, sender: Sender) -> str:
    """A FHIR date or dateTime. Raises Fault."""
    return dates.to_moment(cell, sender.zone)


def phone(cell: Cell, _column: Column, _sender: Sender) -> list[str]:
    """Telephone numbers; several in one cell are parted."""
    found = [part.strip() for part in _PHONE_PARTS.split(plain(cell)) if part.strip()]
    if not found or not all(_PHONE.fullmatch(one) for one in found):
        raise Fault("exchange.bad-phone", code="102")
    return found


def code(cell: Cell, column: Column, sender: Sender) -> Any:
    """The entry of a value map. Raises Fault when the map does not know the word."""
    found = _known(column, plain(cell), sender)
    if found is None:
        raise Fault("exchange.bad-code", params={"value": plain(cell)[:20]}, code="103")
    return found


def fits_code(cell: Cell, column: Column, sender: Sender) -> bool:
    """Whether a cell holds a word of the column's value map."""
    return _known(column, plain(cell), sender) is not None


def coded(cell: Cell, column: Column, sender: Sender) -> dict[str, Any] | None:
    """A CodeableConcept by a value map; an unknown word keeps the sender's own system."""
    return _concept(column, plain(cell), sender)


def several(cell: Cell, column: Column, sender: Sender) -> list[dict[str, Any]]:
    """CodeableConcepts of a cell that holds several values; those that say `none` are left out."""
    found = (_concept(column, part, sender) for part in _parted(plain(cell)))
    unique = {str(one["text"]): one for one in found if one}
    return list(unique.values())


@lru_cache(maxsize=65_536)
def _parted(found: str) -> tuple[str, ...]:
    parts = (_ORDINAL.sub("", part.strip()) for part in _PARTS.split(found))
    return tuple(part for part in parts if part and part.lower() not in _empty_words())


def _known(column: Column, word: str, sender: Sender) -> Any:
    table = str(column.options["values"])
    own = sender.codes.get(table)
    if own and word in own:
        return own[word]
    words = words_of(table)
    return words.get(word) or words.get(word.lower().replace(" ", "")) or _term(table, word)


def _term(table: str, word: str) -> dict[str, Any] | None:
    then = _then(table)
    found = term_of(then, word) if then else None
    return {"system": found.system, "code": found.code, "display": found.name} if found else None


@lru_cache(maxsize=64)
def _then(table: str) -> str:
    try:
        return str(rules.load(_PACKAGE, f"tables/values/{table}.yaml").body.get("then", ""))
    except rules.RuleError:
        return ""


_concepts: dict[tuple[str, str, str], dict[str, Any] | None] = {}
_MOST_CONCEPTS = 100_000


def _concept(column: Column, word: str, sender: Sender) -> dict[str, Any] | None:
    # Resources never change what they are given here, so one object serves every row that says the same.
    key = (sender.key, str(column.options["values"]), word)
    if key not in _concepts:
        if len(_concepts) > _MOST_CONCEPTS:
            _concepts.clear()
        _concepts[key] = _made_concept(column, word, sender)
    return _concepts[key]


def _made_concept(column: Column, word: str, sender: Sender) -> dict[str, Any] | None:
    known = _known(column, word, sender)
    if known is None:
        return local_concept(str(column.options["values"]), word, sender)
    if known.get("none"):
        return None
    codings = [{key: one[key] for key in ("system", "code", "display") if key in one} for one in (known, *known.get("also", ()))]
    return {"coding": codings, "text": known["display"] if word.isdecimal() else word}


def local_concept(table: str, word: str, sender: Sender) -> dict[str, Any]:
    """What no table knows, under a system of the sender's own, so that it can be mapped later."""
    shown = " ".join(word.split())[:200]
    return {"coding": [{"system": f"{sender.urn}:codes:{quote(table, safe='')}", "code": shown, "display": shown}], "text": shown}


@lru_cache(maxsize=64)
def words_of(table: str) -> dict[str, Any]:
    """Every word of a value map, codes and names alike, with what it means."""
    try:
        rule = rules.load(_PACKAGE, f"tables/values/{table}.yaml")
    except rules.RuleError:
        return {str(word): meaning for word, meaning in rules.load(_PACKAGE, f"codes/{table}.yaml").map.items()}
    if rule.map:
        return {str(word): meaning for word, meaning in rule.map.items()}
    found: dict[str, Any] = {}
    for row in rule.table:
        meaning: dict[str, Any] = {"system": str(row.get("system") or rule.body["system"]), "code": str(row["code"]), "display": str(row["name"])}
        if row.get("none"):
            meaning["none"] = True
        if row.get("also"):
            meaning["also"] = [dict(one) for one in row["also"]]
        for word in (row["code"], row["name"], *row.get("words", ())):
            found.setdefault(str(word).lower().replace(" ", ""), meaning)
            found.setdefault(str(word), meaning)
    return found


def quantity(cell: Cell, column: Column, _sender: Sender) -> dict[str, Any]:
    """A Quantity in the column's unit; a cell may bring its own, which is converted. Raises Fault."""
    match = _NUMBER.fullmatch(plain(cell))
    if match is None:
        raise Fault("exchange.bad-number", code="102")
    options = column.options
    unit = _BLANKS.sub("", match[2])
    if unit and unit not in {options.get("unit"), options.get("shown")}:
        return _converted(match[1], unit, options)
    return _bounded(quantities.quantity(match[1].replace(" ", ""), str(options.get("shown") or options["unit"])), options)


def _converted(figure: str, unit: str, options: Mapping[str, Any]) -> dict[str, Any]:
    factor = (options.get("from_units") or {}).get(unit.lower())
    if factor is None and quantities.ucum(unit) != quantities.ucum(str(options["unit"])):
        raise Fault("exchange.bad-unit", params={"unit": unit[:20]}, code="102")
    found = quantities.quantity(figure.replace(" ", ""), str(options.get("shown") or options["unit"]))
    if factor is not None:
        product = Decimal(str(found["value"])) * Decimal(str(factor))
        found["value"] = quantities.decimal(str(product.quantize(Decimal("0.01")).normalize().__format__("f")))
    return _bounded(found, options)


def _bounded(found: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    low, high = options.get("low"), options.get("high")
    if (low is not None and found["value"] < low) or (high is not None and found["value"] > high):
        raise Fault("exchange.out-of-range", params={"low": str(low), "high": str(high)}, code="102")
    return found


def pressure(cell: Cell, column: Column, sender: Sender) -> dict[str, Any]:
    """Both blood pressures of one cell, 148/88; keys are the columns they stand for. Raises Fault."""
    match = _PRESSURE.fullmatch(plain(cell).strip())
    if match is None:
        raise Fault("exchange.bad-number", code="102")
    found: dict[str, Any] = {}
    for figure, one in zip(match.groups(), column.options["into"], strict=True):
        found[one["column"]] = quantity(figure, Column(one["column"], "quantity", one), sender)
    return found


def flag(cell: Cell, _column: Column, _sender: Sender) -> bool:
    """Yes or no. Raises Fault."""
    found = {"是": True, "有": True, "y": True, "yes": True, "true": True, "1": True, "√": True, "否": False, "无": False, "没有": False, "n": False, "no": False, "false": False, "0": False, "2": False}.get(plain(cell).lower())
    if found is None:
        raise Fault("exchange.bad-code", params={"value": plain(cell)[:20]}, code="103")
    return found


def result(cell: Cell, _column: Column, _sender: Sender) -> str:
    """A result as it stands, number or words; its unit stands in another column."""
    return plain(cell)


def diagnosis_code(cell: Cell, _column: Column, _sender: Sender) -> str:
    """A code of a diagnosis as written."""
    found = plain(cell).replace(" ", "")
    if not re.fullmatch(r"[\w.+*†/-]{1,40}", found):
        raise Fault("exchange.bad-code", params={"value": found[:20]}, code="103")
    return found


def _has_han(found: str) -> bool:
    return any("\u3400" <= sign <= "\u9fff" for sign in found)


CONVERTERS: dict[str, Converter] = {
    function.__name__: function
    for function in (
        text, name, id_number, number, birth, age, date, moment, phone, code, coded, several, quantity, pressure, flag, result,
        diagnosis_code,
    )
}  # fmt: skip

# Whether a cell has the look of its column at all; whole columns of misfits are columns that slipped.
FITS: dict[str, Callable[[Cell, Column, Sender], bool]] = {
    "name": lambda cell, _column, _sender: fits_name(cell),
    "id_number": lambda cell, _column, _sender: fits_id_number(cell),
    "birth": lambda cell, _column, _sender: fits_date(cell),
    "moment": lambda cell, _column, _sender: fits_date(cell),
    "date": lambda cell, _column, _sender: fits_date(cell),
    "code": fits_code,
}

__all__ = ["CONVERTERS", "FITS", "Column", "codes", "is_empty", "is_formula", "local_concept", "plain", "words_of"]
