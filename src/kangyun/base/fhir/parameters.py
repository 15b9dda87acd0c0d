"""The Parameters that an operation is asked with, read by one reader: what is missing or wrong is refused by its name and place.

A body that is no Parameters is the parameter `resource`. Of a name that is said twice the first counts, unless all are asked for.
https://hl7.org/fhir/R4/parameters.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from kangyun.base import money
from kangyun.base.errors import Problem, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.fhir.shape import check_shape

MEDIA = "application/fhir+json; charset=utf-8"

_MOST_DECIMALS = 18

_JSON = frozenset({"application/fhir+json", "application/json", ""})

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a room reads: the bytes of a body (None: what the server takes) and the letters of a text at most, and its refusal of a parameter, which hears `name`."""

    body: int | None = 100_000
    text: int | None = None
    status: int = 400
    code: str = "invalid"
    key: str = "fhir.parameter"
    # Whether R4 judges the shape of a resource that stands alone; else the room does.
    shape: bool = True


class Parameters:
    """What was posted, by name."""

    def __init__(self, given: object, reading: Reading, place: str = "Parameters.parameter") -> None:
        listed = cast("list[Any]", given) if isinstance(given, list) else []
        self._given: list[Json] = [cast("Json", one) for one in listed if isinstance(one, dict)]
        self._reading, self._place = reading, place

    def __contains__(self, name: object) -> bool:
        return any(one.get("name") == name for one in self._given)

    def names(self) -> list[str]:
        """The names, each once."""
        return list(dict.fromkeys(str(one.get("name", "")) for one in self._given))

    def wrong(self, name: str) -> Problem:
        """The refusal of a parameter that is missing or wrong, to be raised."""
        return refuse(self._reading.status, self._reading.code, self._reading.key, self._where(name), name=name)

    def values(self, name: str) -> list[Any]:
        """All values of a name, of any type."""
        return [value for one in self._all(name) for key, value in one.items() if key.startswith("value")]

    def text(self, name: str, default: str = "", *, needed: bool = False) -> str:
        """A text, code or id without blanks around it; of a Reference the id. Raises Problem when it is needed, too long or none of these."""
        value = self._value(name)
        if value is None and not needed:
            return default
        text = _text(value)
        if text is None or (needed and not text) or len(text) > (self._reading.text or len(text)):
            raise self.wrong(name)
        return text

    def written(self, name: str) -> str:
        """A text, or a number as it is written; '' when it is neither."""
        value = self._value(name)
        return str(value).strip() if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool) else ""

    def texts(self, name: str) -> list[str]:
        """All texts of a name."""
        return [value.strip() for value in self.values(name) if isinstance(value, str)]

    def flag(self, name: str) -> bool:
        """Whether it says true."""
        return self._value(name) is True

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number of FHIR, which has 32 bits. Raises Problem."""
        value = self._value(name) if name in self else default
        if not isinstance(value, int) or isinstance(value, bool) or not -(2**31) <= value < 2**31:
            raise self.wrong(name)
        return value

    def number(self, name: str, least: int, most: int) -> Decimal:
        """A decimal with the digits it was written with, also when it was written as a text. Raises Problem."""
        value = self._value(name)
        try:
            found = Decimal(str(value))
        except InvalidOperation:
            raise self.wrong(name) from None
        # What is no number compares with nothing. A few signs may write a number of a million digits; reckoning with it would take minutes.
        if isinstance(value, bool) or not found.is_finite() or not least <= found <= most or _decimals(found) > _MOST_DECIMALS:
            raise self.wrong(name)
        return found

    def money(self, name: str) -> money.Fen:
        """The fen of a Money. Raises Problem."""
        try:
            return money.from_fhir(self._value(name))
        except (ValueError, TypeError, AttributeError):
            raise self.wrong(name) from None

    def codings(self, name: str) -> list[tuple[str, str]]:
        """Code and display of every Coding of a name."""
        codings = [cast("Json", value) for value in self.values(name) if isinstance(value, dict)]
        return [(str(one.get("code", "")), str(one.get("display", ""))) for one in codings]

    def day(self, name: str) -> date:
        """A date. Raises Problem."""
        try:
            return date.fromisoformat(self.text(name, needed=True))
        except ValueError:
            raise self.wrong(name) from None

    def time(self, name: str) -> time:
        """A time of day. Raises Problem."""
        try:
            return time.fromisoformat(self.text(name, needed=True)).replace(tzinfo=None)
        except ValueError:
            raise self.wrong(name) from None

    def resource(self, name: str = "resource") -> Json:
        """A resource; {} when it is not there."""
        return next((one["resource"] for one in self._all(name) if isinstance(one.get("resource"), dict)), {})

    def parts(self, name: str) -> list[Parameters]:
        """The parts of every parameter of a name."""
        return [Parameters(one["part"], self._reading, f"{self._where(name)}.part") for one in self._all(name) if "part" in one]

    def _all(self, name: str) -> list[Json]:
        return [one for one in self._given if one.get("name") == name]

    def _value(self, name: str) -> Any:
        return next(iter(self.values(name)), None)

    def _where(self, name: str) -> str:
        return f"{self._place}.where(name='{name}')"


def _text(value: Any) -> str | None:
    if isinstance(value, Mapping):
        reference = cast("Json", value).get("reference")
        return reference.rpartition("/")[2].strip() if isinstance(reference, str) else None
    return value.strip() if isinstance(value, str) else None


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


async def posted(request: Request, reading: Reading) -> Parameters:
    """The body of a request; nothing at all is an empty Parameters. Raises Problem 400, 413 or 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _JSON:
        raise refuse(415, "not-supported", "base.bad-media-type")
    body, most = bytearray(), reading.body or request.app.state.settings.max_body_bytes
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise refuse(413, "too-long", "base.body-too-large", limit=str(most))
    if not body.strip():
        return Parameters([], reading)
    said = fhir_json.loads(bytes(body))
    several = said.get("resourceType") == "Parameters"
    if several or reading.shape:
        check_shape(said)
    return Parameters(said.get("parameter") if several else [{"name": "resource", "resource": said}], reading)


def answer(resource: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A resource as FHIR JSON."""
    return Response(fhir_json.dumps(resource), status, headers, media_type=MEDIA)


def told(*parameters: Json) -> Json:
    """Parameters as a resource; an empty list is left out, as FHIR wants it."""
    return {"resourceType": "Parameters", **({"parameter": [*parameters]} if parameters else {})}
