"""Operations on what is known of drugs: load a list, set a price, draw and comment on prescriptions."""

from __future__ import annotations

from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import money, web
from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import answer, posted, told
from kangyun.support.drugs.actions.comments import COMMENT, Wish, comment, draw
from kangyun.support.drugs.actions.listing import CATALOGUE, load
from kangyun.support.drugs.actions.prices import PRICES, set_price
from kangyun.support.drugs.api.operations import READING

_LARGEST = 10_000_000


async def load_list(request: Request) -> Response:
    """POST /fhir/MedicationKnowledge/$load with a CSV or XLSX as body: the region's own list; answers how many drugs it holds."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise refuse(413, "too-long", "base.body-too-large", limit=str(_LARGEST))
    taken = await load(request.state.handle, bytes(body), "list")
    return answer(told({"name": "drugs", "valueInteger": taken}))


async def price(request: Request) -> Response:
    """POST /fhir/MedicationKnowledge/$price with `code` and `yuan`: the own institution's price of a package from now on."""
    body = await posted(request, READING)
    fen = await set_price(request.state.handle, body.text("code"), body.written("yuan"))
    return answer(told({"name": "price", "valueMoney": money.to_fhir(fen)}))


async def sample(request: Request) -> Response:
    """POST /fhir/MedicationRequest/$sample with `starts`, `ends`, `kind`, `seed`: a sample for comment; answers its id."""
    body = await posted(request, READING)
    try:
        wish = Wish(date.fromisoformat(body.text("starts")), date.fromisoformat(body.text("ends")), body.text("kind", "outpatient"))
    except ValueError as error:
        raise refuse(422, "value", "drugs.wrong-period", "Parameters.parameter") from error
    made = await draw(request.state.handle, wish, body.written("seed")[:64])
    return answer(told({"name": "sample", "valueString": made}))


async def say(request: Request) -> Response:
    """POST /fhir/MedicationRequest/$comment with `sample`, `number`, `problem` (repeated), `note`."""
    body = await posted(request, READING)
    await comment(request.state.handle, body.text("sample"), body.text("number"), body.texts("problem"), body.text("note"))
    return answer(told({"name": "kept", "valueBoolean": True}))


def routes() -> list[BaseRoute]:
    """The routes of these operations."""
    deeds = {
        "/fhir/MedicationKnowledge/$load": (load_list, CATALOGUE), "/fhir/MedicationKnowledge/$price": (price, PRICES),
        "/fhir/MedicationRequest/$sample": (sample, COMMENT), "/fhir/MedicationRequest/$comment": (say, COMMENT),
    }
    return [web.route(path, deed, permission=permission, methods=["POST"]) for path, (deed, permission) in deeds.items()]
