"""POST [base]/Organization/$stock: a pharmacy's system says what is on the shelf.

Parameters with one `drug` each: `code` (of the catalogue), `amount` in the smallest unit, `batch`, `expires`.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.fhir.parameters import answer, posted, told
from kangyun.support.drugs.actions.dispensing_stock import count, shelf
from kangyun.support.drugs.api.operations import MOST_UNITS, READING


async def stock(request: Request) -> Response:
    """Keep what was counted; the answer says how many drugs."""
    body = await posted(request, READING)
    said = [shelf(one.text("code"), one.number("amount", -MOST_UNITS, MOST_UNITS), one.text("batch"), one.text("expires")) for one in body.parts("drug")]
    await count(request.state.handle, said)
    return answer(told({"name": "counted", "valueUnsignedInt": len(said)}))


def routes() -> list[BaseRoute]:
    """The route of the operation."""
    return [web.route("/fhir/Organization/$stock", stock, permission="drugs.dispense", methods=["POST"])]
