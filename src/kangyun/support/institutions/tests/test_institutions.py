"""A clinic moves in: added by its code, its administrator invites and prints, and nobody administers another's."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from PIL import Image

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base.errors import Problem
from kangyun.commons.access import SESSION_COOKIE, Actor, Handle, Post, letterhead, staff_of
from kangyun.commons.access.actions import accounts
from kangyun.commons.exchange.actions.joining import forget
from kangyun.support import institutions
from kangyun.support.institutions import Institution

HOSPITAL = Institution("青溪县人民医院", "hospital", "91350100M000100Y43", english="Qingxi County Hospital")


def operator(services: Services) -> Handle:
    """Whoever sits at the machine."""
    return services.gate.open(Actor("local", "operator"))


@asynccontextmanager
async def logged_in(services: Services, role: str, institution: str | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser in which somebody of a role is logged in."""
    secret = await services.entries.issue(Actor(f"user/{role}", role, institution, account=role), kind="session", lasts=600)
    transport = httpx.ASGITransport(build(services, {}), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test", cookies={SESSION_COOKIE: secret}) as client:
        client.headers["accept"] = "text/html"
        client.headers["accept-language"] = "en"
        yield client


async def post(client: httpx.AsyncClient, page: str, fields: dict[str, str], **more: object) -> httpx.Response:
    """Fill in the form of a page and send it."""
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', (await client.get(page)).text)
    assert token
    return await client.post(page, data={"csrf": token[1], **fields}, **more)  # pyright: ignore[reportArgumentType]


def picture(kind: str = "PNG") -> bytes:
    """A small picture."""
    out = io.BytesIO()
    Image.new("RGB", (40, 40), "teal").save(out, kind)
    return out.getvalue()


async def test_an_institution_is_added_once_with_its_place(services: Services) -> None:
    made = await institutions.add(services, operator(services), HOSPITAL)
    clinic = await institutions.add(services, operator(services), Institution("柳河村卫生室", "village_clinic", parent=made.id))
    kept = await operator(services).read("Organization", clinic.id)
    assert kept
    assert kept["partOf"]["reference"] == f"Organization/{made.id}"
    assert await operator(services).read("Location", clinic.id)
    for again in (HOSPITAL, Institution("柳河村卫生室", "village_clinic", parent=made.id)):
        with pytest.raises(Problem) as refusal:
            await institutions.add(services, operator(services), again)
        assert refusal.value.status == 409


@pytest.mark.parametrize(("wish", "key"), [
    (Institution("某医院", "hospital"), "institutions.no-code"),
    (Institution("某医院", "hospital", "91350100M000100Y44"), "institutions.wrong-code"),
    (Institution("", "village_clinic"), "institutions.wrong-name"),
    (Institution("某医院", "castle"), "institutions.wrong-kind"),
    (Institution("某卫生室", "village_clinic", parent="nobody"), "institutions.unknown"),
])
async def test_what_cannot_be_right_is_refused(services: Services, wish: Institution, key: str) -> None:
    with pytest.raises(Problem) as refusal:
        await institutions.add(services, operator(services), wish)
    assert refusal.value.issues[0].key == key


async def test_an_institution_that_sends_already_is_taken_over(services: Services, api: httpx.AsyncClient) -> None:
    await _message(api, 1)
    made = await institutions.add(services, operator(services), Institution("新云卫生室", "village_clinic", sender="NEWCL"))
    visits = (await operator(services).search("Encounter", "")).resources
    assert {one["serviceProvider"]["reference"] for one in visits} == {f"Organization/{made.id}"}
    # What its system says later changes nothing of what its administrator has said.
    forget()
    await _message(api, 2)
    kept = await operator(services).read("Organization", made.id)
    assert kept
    assert (kept["name"], kept["meta"]["versionId"]) == ("新云卫生室", "2")


async def _message(api: httpx.AsyncClient, number: int) -> None:
    """A resident is registered at the clinic by its own system."""
    message = (
        f"MSH|^~\\&|HIS|NEWCL|KANGYUN|YZ|20260101080000||ADT^A04|{number}|P|2.5\r"
        f"PID|1||{number}^^^NEWCL^MR||张^三||198001{number:02d}|M\rPV1|1|O\r")
    answer = await api.post("/exchange/hl7v2", content=message.encode(), headers={"content-type": "x-application/hl7-v2+er7"})
    assert answer.status_code == 200


async def test_the_administrator_of_a_clinic_makes_it_work(services: Services) -> None:
    clinic = await institutions.add(services, operator(services), Institution("白石村卫生室", "village_clinic", "91440300708461136T"))
    async with logged_in(services, "institution_admin", clinic.id) as client:
        home = f"/institutions/{clinic.id}"
        assert (await client.get("/institutions")).headers["location"] == home
        assert "Moving in" in (await client.get(home)).text
        paper = {"name": "白石村卫生室", "english": "Baishi Clinic", "address": "白石村1号", "phone": "0990-1234", "colour": "blue"}
        done = await post(client, f"{home}/letterhead", paper, files={"logo": ("l.png", picture(), "image/png")})
        assert done.status_code == 303, done.text
        shown = await client.get(f"{home}/logo")
        assert (shown.headers["content-type"], shown.content[:4]) == ("image/png", b"\x89PNG")
        invited = await post(client, f"{home}/staff", {"role": "village_doctor"})
        assert re.search(r'value="http://kangyun.test/invitation/[\w-]+"', invited.text)
        assert (await post(client, f"{home}/staff", {"role": "system_admin"})).status_code == 422
        below = await post(client, f"/institutions/add?parent={clinic.id}", {"name": "护理组", "kind": "department", "parent": clinic.id})
        assert below.status_code == 303
        system = await post(client, f"{home}/system", {"sender": "BSWSS", "channel": "fhir"})
        assert re.search(r'id="key" value="[\w-]{40,}"', system.text)
    head = await letterhead(operator(services), clinic.id)
    assert head
    assert (head.called("en"), head.mark.colour, head.mark.logo_type) == ("Baishi Clinic", "blue", "image/png")


async def test_nobody_administers_another_institution(services: Services) -> None:
    other = await institutions.add(services, operator(services), Institution("山后村卫生室", "village_clinic"))
    own = await institutions.add(services, operator(services), Institution("山前村卫生室", "village_clinic"))
    async with logged_in(services, "institution_admin", own.id) as client:
        for page in ("", "/letterhead", "/staff", "/system"):
            assert (await client.get(f"/institutions/{other.id}{page}")).status_code == 404
        attempt = await post(client, "/institutions/add", {"name": "新科", "kind": "department", "parent": other.id})
        assert attempt.status_code == 404
        assert (await post(client, "/institutions/add", {"name": "新科", "kind": "department", "parent": ""})).status_code == 403
    async with logged_in(services, "hospital_doctor", own.id) as client:
        assert (await client.get(f"/institutions/{own.id}")).status_code == 403


@pytest.mark.parametrize("content", [b"<svg onload='x'/>", b"GIF89a" + bytes(40), picture()[:60], bytes(300_000), b"\x89PNG\r\n\x1a\n<script>"])
async def test_a_logo_that_is_none_is_refused(services: Services, content: bytes) -> None:
    found = (await operator(services).search("Organization", "name=青溪县人民医院")).resources[0]
    async with logged_in(services, "institution_admin", found["id"]) as client:
        refused = await post(
            client, f"/institutions/{found['id']}/letterhead", {"name": "青溪县人民医院", "colour": "teal"}, files={"logo": ("l.png", content, "image/png")})
        assert refused.status_code == 422
        assert (await client.get(f"/institutions/{found['id']}/logo")).status_code == 404


async def nurse(services: Services, name: str, *places: str) -> str:
    """A nurse who works at places and is logged in at the first; the secret of the session."""
    first, *others = places
    account = await accounts.establish(services, Actor("local", "operator"), name, Post("nurse", first), password="Aa1!correct-horse")
    for place in others:
        await accounts.grant(services, Actor("local", "operator"), account, Post("nurse", place))
    return await services.entries.issue(Actor(f"user/{account.id}", "nurse", first, account=account.id), kind="session", lasts=600)


async def change(services: Services, client: httpx.AsyncClient, institution: str, name: str, deed: str) -> httpx.Response:
    rows = [row for row in await staff_of(services.database, institution) if row.login == name]
    page = f"/institutions/{institution}/staff"
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', (await client.get(page)).text)
    assert token
    return await client.post(f"{page}/change", data={"csrf": token[1], "membership": rows[0].membership or "", "deed": deed})


async def test_the_administrator_locks_resets_and_withdraws_and_whoever_is_in_is_out_at_once(services: Services) -> None:
    own = await institutions.add(services, operator(services), Institution("东湖卫生院", "village_clinic"))
    other = await institutions.add(services, operator(services), Institution("西湖卫生院", "village_clinic"))
    session, both = await nurse(services, "only-here", own.id), await nurse(services, "here-and-there", own.id, other.id)
    async with logged_in(services, "institution_admin", own.id) as client:
        assert (await change(services, client, own.id, "only-here", "lock")).status_code == 303
        assert await services.entries.actor(session) is None
        assert [row.state for row in await staff_of(services.database, own.id) if row.login == "only-here"] == ["locked"]
        assert (await change(services, client, own.id, "only-here", "unlock")).status_code == 303
        reset = await change(services, client, own.id, "only-here", "reset")
        assert re.search(r'value="http://kangyun.test/invitation/[\w-]+"', reset.text)
        # Whoever works elsewhere too is not this administrator's to lock; the role here is.
        assert (await change(services, client, own.id, "here-and-there", "lock")).status_code == 409
        assert await services.entries.actor(both)
        assert (await change(services, client, own.id, "here-and-there", "withdraw")).status_code == 303
        assert await services.entries.actor(both) is None
        assert [row.login for row in await staff_of(services.database, own.id)] == ["only-here"]


async def test_staff_of_others_are_nobody_here(services: Services) -> None:
    own = await institutions.add(services, operator(services), Institution("南湖卫生院", "village_clinic"))
    other = await institutions.add(services, operator(services), Institution("北湖卫生院", "village_clinic"))
    await nurse(services, "of-another", other.id)
    [row] = await staff_of(services.database, other.id)
    async with logged_in(services, "institution_admin", own.id) as client:
        page = await client.get(f"/institutions/{own.id}/staff")
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        assert token
        for place in (own.id, other.id):
            form = {"csrf": token[1], "membership": row.membership or "", "deed": "lock"}
            assert (await client.post(f"/institutions/{place}/staff/change", data=form)).status_code == 404
