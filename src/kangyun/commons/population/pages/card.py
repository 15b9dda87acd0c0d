"""The card desk: a clerk looks a person up, then issues, prints, replaces, freezes, and gives temporary cards."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.web.display import CHINA
from kangyun.commons.access import letterhead
from kangyun.commons.population.actions.card_family import PROOFS, Right, guard
from kangyun.commons.population.actions.cards import Cards
from kangyun.commons.population.decisions import card as deciding
from kangyun.commons.population.decisions.card import channels, relations, steps, terms
from kangyun.commons.population.pages.people import Shown, shown
from kangyun.commons.population.queries import card as reading
from kangyun.commons.population.queries.card import Card

errors.register("kangyun.commons.population")

_DESK = "population.desk"
_HOME = "/population/cards"
_TONES = {"active": "green", "frozen": "amber", "lost": "red", "joined": "plain", "ended": "plain"}


async def desk(request: Request) -> Response:
    """Show the search; what is searched for is posted, since names and numbers of people must not stand in addresses."""
    text = str((await web.posted(request)).get("q", "")).strip() if request.method == "POST" else ""
    cards = _cards(request)
    found = await reading.find_people(cards.handle, text)
    people = [(shown(one, str(one["id"])), await cards.of(str(one["id"]))) for one in found]
    block = "found" if request.query_params.get("part") == "found" else None
    return web.render(request, "population/card_desk.html", block=block, q=text, people=people, tones=_TONES, refused="", key=uuid4().hex)


async def person(request: Request) -> Response:
    """Show a person's cards and what can be done with them."""
    return await _person_page(request)


async def _person_page(request: Request, refused: str = "", status: int = 200) -> Response:
    cards, patient_id = _cards(request), request.path_params["patient"]
    who = shown(await cards.person(patient_id), patient_id)
    own = await cards.of(patient_id)
    return web.render(
        request, "population/card_person.html", status=status, who=who, cards=[_row(cards, one) for one in own],
        formal=next((one for one in own if not one.temporary), None), uses=await cards.uses(own),
        events=await cards.events(own), wards=await _wards(cards, patient_id), steps=steps(), channels=channels(),
        relations=relations(), proofs=PROOFS, limits=terms(), refused=refused, instant=clock.instant,
        eighteen=_eighteen(who.born), key=uuid4().hex,
    )


def _row(cards: Cards, card: Card) -> dict[str, Any]:
    return {
        "card": card, "tone": _TONES[card.state], "events": [one for one in deciding.may_follow(card.state, "clerk") if one != "join"],
        "joins": card.temporary and deciding.next_state(card.state, "join") is not None,
        "code": web.qr(cards.printed_code(card)), "issued": clock.instant(card.issued),
        "deadline": clock.instant(card.deadline) if card.deadline else "",
    }


async def _wards(cards: Cards, patient_id: str) -> list[tuple[reading.Ward, Shown, str]]:
    found = await cards.wards(patient_id)
    return [(one, shown(await cards.person(one.ward), one.ward), clock.instant(one.until)) for one in found]


def _eighteen(born: str) -> str:
    """The usual end of a parent's right: the eighteenth birthday, else a year from now."""
    today = clock.now().astimezone(CHINA).date()
    year = int(born[:4]) + 18 if born[:4].isdigit() else 0
    return f"{year}{born[4:10]}" if year > today.year and len(born) == 10 else (today + timedelta(days=365)).isoformat()


async def issue(request: Request) -> Response:
    """Issue the formal card."""
    form = await web.posted(request)
    return await _done(request, _cards(request).issue(request.path_params["patient"], _pin(form)))


async def issue_newborn(request: Request) -> Response:
    """Give a newborn of this mother a temporary card, which she may show until its deadline."""
    form = await web.posted(request)
    cards, mother = _cards(request), request.path_params["patient"]
    name = shown(await cards.person(mother), mother).name
    born, days = str(form.get("born", "")), terms().newborn_days
    if born and not _is_recent(born, days):
        return await _person_page(request, web.translate(request.state.language, "population.newborn.born", n=days), 422)
    patient: dict[str, Any] = {
        "name": [{"text": web.translate("zh", "population.newborn.name", name=name), "use": "temp"}], "gender": _sex(form),
        "contact": [{"relationship": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH"}]}], "name": {"text": name}}],
    }
    if born:
        patient["birthDate"] = born
    card = await cards.issue_temporary("newborn", patient, _key(form))
    assert card.deadline is not None
    await guard(cards, card.patient, mother, Right("8", "birth-certificate", "—", card.deadline, card.issued))
    return RedirectResponse(f"{_HOME}/{card.patient}", status_code=303)


async def issue_stranger(request: Request) -> Response:
    """Give somebody whom nobody knows a temporary card."""
    form = await web.posted(request)
    name = str(form.get("name", "")).strip()[:60] or web.translate("zh", "population.stranger.name")
    card = await _cards(request).issue_temporary("stranger", {"name": [{"text": name, "use": "temp"}], "gender": _sex(form)}, _key(form))
    return RedirectResponse(f"{_HOME}/{card.patient}", status_code=303)


async def change(request: Request) -> Response:
    """Freeze, unfreeze, report lost, end, replace or set the PIN."""
    form = await web.posted(request)
    cards, card = _cards(request), await _card(request)
    event = str(form.get("event", ""))
    work = {"replace": lambda: cards.replace(card, _pin(form)), "set-pin": lambda: cards.set_pin(card, _pin(form))}
    return await _done(request, work[event]() if event in work else cards.change(card, event, "clerk"))


async def join(request: Request) -> Response:
    """Join a temporary card to the person it turns out to be of, told by a document or card number."""
    form = await web.posted(request)
    cards, card = _cards(request), await _card(request)
    found = await reading.find_people(cards.handle, str(form.get("q", "")))
    others = [one for one in found if one["id"] != card.patient]
    if len(others) != 1:
        return await _person_page(request, web.translate(request.state.language, "population.join.who"), 422)
    return await _done(request, cards.join(card, str(others[0]["id"])))


async def entrust(request: Request) -> Response:
    """Let somebody show this person's card until a date."""
    form = await web.posted(request)
    cards, ward = _cards(request), request.path_params["patient"]
    found = await reading.find_people(cards.handle, str(form.get("q", "")))
    until = _date(str(form.get("until", "")))
    if len(found) != 1:
        return await _person_page(request, web.translate(request.state.language, "population.join.who"), 422)
    right = Right(str(form.get("relation")), str(form.get("proof")), str(form.get("number", "")), until or clock.now())
    return await _done(request, guard(cards, ward, str(found[0]["id"]), right))


async def print_card(request: Request) -> Response:
    """The card as a PDF to be printed and cut out."""
    from kangyun.commons.population.pages.printing import Printed, card_pdf  # noqa: PLC0415 - loads a library that few need

    cards, card = _cards(request), await _card(request)
    language = request.state.language
    who = shown(await cards.person(card.patient), card.patient)
    kind = web.translate(language, f"population.kind.{card.kind}")
    hint = web.translate(language, web.message("population.print.temporary") if card.temporary else web.message("population.print.hint"))
    region = request.app.state.shell.region[language]
    head = await letterhead(cards.handle, cards.handle.actor.institution)
    printed = Printed(region, kind, who, cards.printed_code(card), hint, card.deadline, head)
    headers = {"content-disposition": "inline; filename=card.pdf", "cache-control": "no-store"}
    return Response(card_pdf(printed, language), headers=headers, media_type="application/pdf")


def _cards(request: Request) -> Cards:
    return Cards(request.state.handle, request.app.state.services.keys)


async def _card(request: Request) -> Card:
    """The card in the address, which names the Patient that the card hangs on."""
    async with request.state.handle.connection() as connection:
        found = await reading.cards_on(connection, [request.path_params["patient"]])
    if not found:
        raise refuse(404, "not-found", "population.card-nobody")
    return found[0]


async def _done(request: Request, work: Any) -> Response:
    """Do it and show the person again; a refusal stands above what was filled in."""
    try:
        await work
    except Problem as problem:
        told = " ".join(errors.text(one, request.state.language) for one in problem.issues)
        return await _person_page(request, told, problem.status)
    return RedirectResponse(f"{_HOME}/{request.path_params['patient']}", status_code=303)


def _pin(form: FormData) -> str:
    return str(form.get("pin", "")).strip()


def _key(form: FormData) -> str:
    """What one showing of a form has that no other has."""
    return str(form.get("key", ""))[:64]


def _sex(form: FormData) -> str:
    sex = str(form.get("sex", ""))
    return sex if sex in {"male", "female"} else "unknown"


def _is_recent(born: str, days: int) -> bool:
    today = clock.now().astimezone(CHINA).date()
    try:
        return today - timedelta(days=days) <= date.fromisoformat(born) <= today and len(born) == len("2026-03-05")
    except ValueError:
        return False


def _date(text: str) -> datetime | None:
    """The end of a day in China."""
    try:
        return datetime.fromisoformat(text).replace(hour=23, minute=59, second=59, tzinfo=CHINA)
    except ValueError:
        return None


def routes() -> list[BaseRoute]:
    """The addresses of the card desk."""
    one = f"{_HOME}/{{patient}}"
    posts = {"issue": issue, "newborn": issue_newborn, "change": change, "join": join, "entrust": entrust}
    return [
        web.route(_HOME, desk, permission=_DESK, methods=["GET", "POST"], limit="find"),
        web.route(f"{_HOME}/stranger", issue_stranger, permission=_DESK, methods=["POST"]),
        web.route(one, person, permission=_DESK),
        *(web.route(f"{one}/{name}", act, permission=_DESK, methods=["POST"]) for name, act in posts.items()),
        web.route(f"{one}/card.pdf", print_card, permission=_DESK),
    ]


def menu() -> list[web.MenuEntry]:
    """The card desk's place in the menu."""
    return [web.MenuEntry("population.desk.menu", _HOME, icon="card", order=40, about="population.desk.about")]
