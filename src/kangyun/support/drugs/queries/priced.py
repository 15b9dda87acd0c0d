"""What the lines of a prescription cost at whoever dispenses them."""

from __future__ import annotations

from kangyun.commons.access import Handle
from kangyun.support.drugs.decisions.circulation import priced
from kangyun.support.drugs.model import Prescription
from kangyun.support.drugs.model.circulation import Held, Priced
from kangyun.support.drugs.model.orders import prescription_of
from kangyun.support.drugs.queries.known import drugs_of
from kangyun.support.drugs.queries.prescriptions import held
from kangyun.support.drugs.queries.prices import prices_of


async def standing(own: Handle, number: str) -> Held:
    """Where a prescription stands; `own` is the platform's handle, or the caller has judged who asks. Raises Problem 404."""
    async with own.connection() as connection:
        return await held(connection, number)


async def lines_with_prices(own: Handle, number: str) -> list[Priced]:
    """What each line costs at the pharmacy that was chosen, or where it was prescribed; `own` as in `standing`."""
    found = await standing(own, number)
    return await with_prices(own, found, prescription_of([one for id_ in found.line_ids if (one := await own.read("MedicationRequest", id_))]))


async def with_prices(own: Handle, found: Held, said: Prescription) -> list[Priced]:
    """The same where it is known already what stands in it."""
    drugs = await drugs_of(own, [line.code for line in said.lines])
    async with own.connection() as connection:
        prices = await prices_of(connection, found.pharmacy or found.institution, drugs)
    return [priced(place, line, drugs[line.code], prices[line.code]) for place, line in enumerate(said.lines)]
