"""Units of measure: a UCUM code -> its size in base units, enough of UCUM (ucum.org, 2.1) for clinical quantities.

``measure("mg/dL")`` is ``Measure(factor=Fraction(10), dimension=(("g", 1), ("m", -3)))``: a value times the factor is
comparable with every other of the same dimension. Arbitrary units (``[iU]``) are dimensions of their own.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import NamedTuple


class Measure(NamedTuple):
    """``factor`` in base units; ``dimension`` as sorted (base unit, exponent)."""

    factor: Fraction
    dimension: tuple[tuple[str, int], ...]


PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip

# Units that take prefixes: base units first, then those defined by them.
METRIC = {
    "m": None, "s": None, "g": None, "rad": None, "K": None, "C": None, "cd": None, "mol": None,
    "L": "dm3", "l": "dm3", "Hz": "s-1", "N": "kg.m/s2", "Pa": "N/m2", "J": "N.m", "W": "J/s", "A": "C/s",
    "V": "J/C", "F": "C/V", "Ohm": "V/A", "S": "A/V", "Wb": "V.s", "T": "Wb/m2", "H": "Wb/A", "lm": "cd.sr",
    "lx": "lm/m2", "Bq": "s-1", "Gy": "J/kg", "Sv": "J/kg", "kat": "mol/s", "U": "1000000/60.umol/s", "eq": "mol",
    "osm": "mol", "t": "1000.kg", "bar": "100000.Pa", "u": "166053906892/100000000000.yg", "eV": "1602176634/10000000000.zJ",
    "cal": "4184/1000.J", "m[H2O]": "980665/100.kPa", "m[Hg]": "133322/1000.kPa", "st": "m3", "Ci": "37.GBq",
    "bit": None, "By": "8.bit", "[iU]": None, "[IU]": "[iU]", "[arb'U]": None, "[CFU]": None, "[PFU]": None, "[USP'U]": None,
    "g%": "g/dL", "sr": "rad2", "dyn": "10.uN", "erg": "100.nJ", "P": "dyn.s/cm2", "G": "100.uT", "Cal": "4184.J",
}  # fmt: skip

# Units that take no prefix.
PLAIN = {
    "%": "1/100", "[ppth]": "1/1000", "[ppm]": "1/1000000", "[ppb]": "1/1000000000", "10*": "10", "10^": "10",
    "[pi]": "314159265358979/100000000000000", "deg": "[pi].rad/180", "'": "deg/60", "''": "'/60",
    "min": "60.s", "h": "60.min", "d": "24.h", "wk": "7.d", "a": "36525/100.d", "mo": "a/12",
    "a_j": "a", "mo_j": "mo", "ar": "100.m2", "har": "10000.m2",
    "[in_i]": "254/100.cm", "[ft_i]": "12.[in_i]", "[yd_i]": "3.[ft_i]", "[mi_i]": "5280.[ft_i]",
    "[gr]": "6479891/100000.mg", "[lb_av]": "7000.[gr]", "[oz_av]": "[lb_av]/16", "[dr_av]": "[oz_av]/16",
    "[stone_av]": "14.[lb_av]", "[gal_us]": "231.[in_i]3", "[qt_us]": "[gal_us]/4", "[pt_us]": "[qt_us]/2",
    "[cup_us]": "[pt_us]/2", "[foz_us]": "[gal_us]/128", "[tbs_us]": "[foz_us]/2", "[tsp_us]": "[tbs_us]/3",
    "[drp]": "ml/20", "[in_i'H2O]": "m[H2O].[in_i]/m", "[in_i'Hg]": "m[Hg].[in_i]/m", "atm": "101325.Pa", "[psi]": "6894757293/1000000.mPa",
    "[pH]": None, "[hp_X]": None, "[HPF]": "1", "[LPF]": "100", "[MET]": "35/10.mL/min/kg", "[Cal]": "4184.J",
    "[knt_i]": "1852.m/h", "B": None, "Np": None,
    # Scales with an offset are comparable with themselves only.
    "Cel": None, "[degF]": None,
}  # fmt: skip

COMPONENT = re.compile(r"(?P<atom>(?:10[*^]|\[[^\]]*\]|[A-Za-z%'_])+)(?P<exponent>[+-]?\d+)?|(?P<number>\d+)")
ANNOTATION = re.compile(r"\{[^{}]*\}")


@functools.lru_cache(maxsize=4096)
def measure(code: str) -> Measure | None:
    """What a UCUM code stands for; None when it is unknown or malformed."""
    text = ANNOTATION.sub("", code)
    if not text:
        return Measure(Fraction(1), ()) if code else None
    return UnitText(text.replace("/.", "/")).read()


class UnitText:
    """A reader of one unit term: components joined by ``.`` and ``/``, from left to right, with brackets."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self) -> Measure | None:
        """The measure of the whole text."""
        result = self._term()
        return result if self._at == len(self._text) else None

    def _term(self) -> Measure | None:
        sign = -1 if self._accept("/") else 1
        result = self._power(self._component(), sign)
        while result is not None and self._at < len(self._text) and self._text[self._at] in "./":
            sign = -1 if self._text[self._at] == "/" else 1
            self._at += 1
            result = product(result, self._power(self._component(), sign))
        return result

    def _accept(self, symbol: str) -> bool:
        found = self._text.startswith(symbol, self._at)
        self._at += len(symbol) if found else 0
        return found

    def _component(self) -> Measure | None:
        if self._accept("("):
            inner = self._term()
            return inner if self._accept(")") else None
        found = COMPONENT.match(self._text, self._at)
        if found is None:
            # An annotation that stood alone was removed: {cells}/uL is 1/uL.
            return Measure(Fraction(1), ()) if self._at in {0, len(self._text)} else None
        self._at = found.end()
        if found["number"]:
            return Measure(Fraction(int(found["number"])), ())
        return self._power(_atom(found["atom"]), int(found["exponent"] or 1))

    @staticmethod
    def _power(base: Measure | None, exponent: int) -> Measure | None:
        if base is None or abs(exponent) > 99 or (exponent < 0 and base.factor == 0):
            return None
        return Measure(base.factor**exponent, tuple((unit, power * exponent) for unit, power in base.dimension))


def product(left: Measure, right: Measure | None) -> Measure | None:
    """The measure of two units multiplied."""
    if right is None:
        return None
    exponents = dict(left.dimension)
    for unit, power in right.dimension:
        exponents[unit] = exponents.get(unit, 0) + power
    return Measure(left.factor * right.factor, tuple(sorted((u, p) for u, p in exponents.items() if p)))


def quotient(left: Measure, right: Measure) -> Measure:
    """The measure of one unit divided by another."""
    inverse = Measure(1 / right.factor, tuple((unit, -power) for unit, power in right.dimension))
    result = product(left, inverse)
    assert result is not None
    return result


@functools.lru_cache(maxsize=1024)
def _atom(code: str) -> Measure | None:
    if code in PLAIN:
        return _defined(code, PLAIN[code])
    if code in METRIC:
        return _defined(code, METRIC[code])
    for length in (2, 1):
        prefix, rest = code[:length], code[length:]
        if prefix in PREFIXES and rest in METRIC:
            inner = _defined(rest, METRIC[rest])
            return inner and Measure(inner.factor * Fraction(10) ** PREFIXES[prefix], inner.dimension)
    return None


def _defined(code: str, definition: str | None) -> Measure | None:
    return Measure(Fraction(1), ((code, 1),)) if definition is None else UnitText(definition).read()


def code_of(dimension: tuple[tuple[str, int], ...]) -> str:
    """The UCUM code of a dimension in base units: ``g.m-3``; ``1`` for none."""
    return ".".join(unit if power == 1 else f"{unit}{power}" for unit, power in dimension) or "1"
