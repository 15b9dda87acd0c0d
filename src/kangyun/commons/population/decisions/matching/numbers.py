"""Numbers that say who somebody is, without those that say nothing: made-up ID numbers, telephone numbers of nobody."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

import msgspec

from kangyun.base import rules
from kangyun.commons.population.decisions.residents import id_check_digit

_PACKAGE = "kangyun.commons.population"
_WHOLE = re.compile(r"\d{17}[\dX]")
_SHORT = re.compile(r"\d{15}")
_MOBILE = re.compile(r"1\d{10}")
_COUNTRY = re.compile(r"^(?:0086|086|86)(?=1\d{10}$|0\d{9,11}$)")
_NOT_DIGITS = re.compile(r"\D")
# What cannot stand beside others in one pattern: it counts groups, names them, or sets flags.
_BY_ITSELF = re.compile(r"\\[1-9]|\(\?[aiLmsuxP]")
_SIGNS = re.compile(r"[\s\-–—_.()（）:：/]+")


class IdNumber(msgspec.Struct, frozen=True):
    """A resident ID number of 18 characters and whether its check digit proves that it was written rightly.

    A number of 15 digits is lengthened; it has no check digit, so nothing proves it.
    """

    number: str = ""
    sure: bool = False

    @property
    def birth(self) -> str:
        """The birth date inside, `1956-03-04`; not necessarily a date of the calendar."""
        return f"{self.number[6:10]}-{self.number[10:12]}-{self.number[12:14]}" if self.number else ""

    @property
    def sex(self) -> str:
        """GB/T 2261.1: 1 male, 2 female."""
        return ("2", "1")[int(self.number[16]) % 2] if self.number else ""


@cache
def _fillers() -> Any:
    return rules.load(_PACKAGE, "matching_fillers.yaml").value


def generation() -> int:
    """How many years between the birth date in a number and the stated one make it the number of somebody else."""
    return int(_fillers()["generation"])


def settled() -> int:
    """Until which age the telephone that somebody gives may well be a parent's."""
    return int(_fillers()["settled"])


@cache
def _patterns(kind: str) -> tuple[re.Pattern[str], ...]:
    """Few patterns for many: every number is held against all of them."""
    told: list[str] = _fillers()[kind]
    together = "|".join(f"(?:{one})" for one in told if not _BY_ITSELF.search(one))
    return tuple(re.compile(one) for one in (together, *filter(_BY_ITSELF.search, told)) if one)


def _is_filler(kind: str, bare: str) -> bool:
    for pattern in _patterns(kind):  # noqa: SIM110 - a generator costs as much as the patterns
        if pattern.fullmatch(bare):
            return True
    return False


def compact(text: Any) -> str:
    """A number without spaces and signs, half width, in capitals."""
    told = str(text)[:64]
    if told.isascii() and told.isalnum():
        return told.upper()
    return _SIGNS.sub("", unicodedata.normalize("NFKC", told)).upper()


@lru_cache(maxsize=16384)
def id_number(text: str) -> IdNumber:
    """The resident ID number in a text; empty when it is none at all or one of those that people type for nothing.

    A number with a wrong check digit or an impossible date is kept: it may be a slip of a right one.
    """
    bare = compact(text).replace("×", "X").replace("*", "X")
    if _is_filler("numbers", bare):
        return IdNumber()
    if _SHORT.fullmatch(bare):
        whole = f"{bare[:6]}19{bare[6:]}"
        return IdNumber(whole + id_check_digit(whole))
    if _WHOLE.fullmatch(bare):
        return IdNumber(bare, sure=bare[17] == id_check_digit(bare))
    return IdNumber()


def document(kind: str, text: Any) -> str:
    """A document's number with its kind, `PPN:E12345678`; empty for fillers."""
    bare = compact(text)
    if len(bare) < 5 or _is_filler("numbers", bare):
        return ""
    return f"{kind}:{bare}"


@lru_cache(maxsize=8192)
def phone(text: str) -> str:
    """A telephone number in digits without the country; empty for fillers and what is too short."""
    bare = _COUNTRY.sub("", _NOT_DIGITS.sub("", compact(text)))
    if bare.startswith("01") and len(bare) == 12:
        bare = bare[1:]
    return "" if len(bare) < 7 or _is_filler("phones", bare) else bare


def is_mobile(phone: str) -> bool:
    """Whether a telephone number is carried about and not that of a house."""
    return _MOBILE.fullmatch(phone) is not None
