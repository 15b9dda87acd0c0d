"""Math functions (FHIRPath N1, clause 5.7)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, DecimalException

from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.quantity import Quantity

from .registry import on_value

NUMBER = (int, Decimal)
WIDE = Context(prec=60)
# Larger powers are computed as rounded decimals, so that nesting them cannot fill the memory.
MOST_BITS = 256


@on_value("abs", (*NUMBER, Quantity))
def absolute(value: int | Decimal | Quantity) -> int | Decimal | Quantity:
    """The value without its sign."""
    return Quantity(abs(value.value), value.unit) if isinstance(value, Quantity) else abs(value)


@on_value("ceiling", NUMBER)
def ceiling(value: int | Decimal) -> int:
    """The least integer that is not less."""
    return int(Decimal(value).to_integral_value(ROUND_CEILING))


@on_value("floor", NUMBER)
def floor(value: int | Decimal) -> int:
    """The greatest integer that is not greater."""
    return int(Decimal(value).to_integral_value(ROUND_FLOOR))


@on_value("truncate", NUMBER)
def truncate(value: int | Decimal) -> int:
    """The integer part."""
    return int(value)


@on_value("round", NUMBER, int, optional=1)
def rounded(value: int | Decimal, digits: int = 0) -> Decimal:
    """The nearest number with so many digits after the point; halves go away from zero."""
    if digits < 0:
        raise FhirPathError("round() takes a number of digits that is not negative")
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, WIDE)


@on_value("exp", NUMBER)
def exp(value: int | Decimal) -> Decimal | None:
    """The power of e."""
    return _computed(lambda: Decimal(value).exp())


@on_value("ln", NUMBER)
def ln(value: int | Decimal) -> Decimal | None:
    """The natural logarithm; nothing for numbers that have none."""
    return _computed(lambda: Decimal(value).ln())


@on_value("log", NUMBER, NUMBER)
def log(value: int | Decimal, base: int | Decimal) -> Decimal | None:
    """The logarithm to a base; nothing for numbers that have none."""
    return _computed(lambda: (Decimal(value).ln() / Decimal(base).ln()).quantize(Decimal("1E-20")).normalize())


@on_value("sqrt", NUMBER)
def sqrt(value: int | Decimal) -> Decimal | None:
    """The square root; nothing for negative numbers."""
    return _computed(lambda: Decimal(value).sqrt())


@on_value("power", NUMBER, NUMBER)
def power(value: int | Decimal, exponent: int | Decimal) -> int | Decimal | None:
    """The power; nothing where it is not a real number."""
    if isinstance(value, int) and isinstance(exponent, int) and 0 <= exponent * value.bit_length() <= MOST_BITS:
        return value**exponent
    return _computed(lambda: Decimal(value) ** Decimal(exponent))


def _computed(compute: Callable[[], Decimal]) -> Decimal | None:
    try:
        result = compute()
    except DecimalException:
        return None
    return result if result.is_finite() else None
