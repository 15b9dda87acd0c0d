"""Calls over real WebSockets to a platform of two processes: who may come in, what is passed on, what ends at once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.conversation import LICENCE, Conversation, converse
from tests.serving import Server
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import kangyun.care.internet_hospital as room

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SECRET = b"between us and coturn"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two web processes whose pulse is a second, so that what ends is seen soon."""
    folder = tmp_path_factory.mktemp("calls")
    (folder / "turn.key").write_bytes(SECRET)
    quick = folder / "regions" / "yunzhou" / "rules" / "care" / "internet_hospital" / "calls.yaml"
    quick.parent.mkdir(parents=True)
    rule = yaml.safe_load((Path(room.__path__[0]) / "rules" / "calls.yaml").read_text("utf-8"))
    rule["map"] |= {"pulse_seconds": 1, "away_seconds": 3}
    quick.write_text(yaml.safe_dump(rule, allow_unicode=True), "utf-8")
    running = Server(
        folder / "data", web_processes="2", turn_url="turn:turn.test:3478?transport=udp", turn_key_file=str(folder / "turn.key"),
        region_rules=str(folder / "regions"))
    running.start(60)
    yield running
    running.stop()


@pytest.fixture
def visit(server: Server) -> Conversation:
    """A consultation of its own for each test."""
    return converse(server, str(next(_numbers)))


class Browser:
    """One browser in a call, as far as the server sees it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []
        self.me = ""

    async def say(self, **told: Any) -> None:
        await self.socket.send(json.dumps(told))

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message that is wanted; raises ConnectionClosed or TimeoutError."""
        async with asyncio.timeout(10):
            while True:
                told = json.loads(await self.socket.recv())
                self.heard.append(told)
                if wanted(told):
                    return told

    async def kind(self, kind: str) -> dict[str, Any]:
        return await self.until(lambda told: told["kind"] == kind)

    async def people(self, wanted: Callable[[dict[str, dict[str, Any]], Any], bool]) -> dict[str, dict[str, Any]]:
        """Who is there, by kind, as soon as it is as wanted; the second argument is the recording."""
        told = await self.until(lambda one: one["kind"] == "people" and wanted({p["kind"]: p for p in one["people"]}, one["recording"]))
        return {one["kind"]: one for one in told["people"]} | {"recording": told["recording"]}

    async def closed(self) -> int:
        """The code with which the server closes."""
        with pytest.raises(ConnectionClosed):
            await self.until(lambda _: False)
        return self.socket.close_code or 0


@asynccontextmanager
async def inside(visit: Conversation, who: str = "", device: str = "", *, cookie: str = "", run: str = "", move: bool = False) -> AsyncGenerator[Browser]:
    """Somebody's browser in the call."""
    cookies = cookie or "; ".join(f"{name}={value}" for name, value in visit.cookies(who).items())
    address = f"{visit.url.replace('http', 'ws')}{'/calls/guest' if cookie else visit.room}/line"
    async with connect(address, additional_headers={"cookie": cookies + "; language=en", "origin": visit.url}) as socket:
        browser = Browser(socket)
        # Who is not let in may be told so before he has said hello.
        with suppress(ConnectionClosed):
            await browser.say(kind="hello", device=(device or who or "guest").ljust(20, "-"), run=run or f"{next(_numbers):020d}", move=move)
        yield browser


async def welcomed(browser: Browser) -> Browser:
    browser.me = (await browser.kind("welcome"))["you"]
    return browser


async def test_browsers_in_several_processes_tell_each_other_everything_in_order(visit: Conversation) -> None:
    async with inside(visit, "doctor") as doctor, inside(visit, "resident") as resident:
        await welcomed(doctor)
        await welcomed(resident)
        here = await resident.people(lambda people, _: {"doctor", "resident"} <= people.keys())
        assert (here["doctor"]["name"], here["resident"]["name"]) == ("王建国", "林秀英")
        for number in range(30):
            await doctor.say(kind="signal", to=resident.me, body={"number": number})
        heard = [(await resident.kind("signal")) for _ in range(30)]
        assert [one["body"]["number"] for one in heard] == list(range(30))
        assert {one["from"] for one in heard} == {doctor.me}


async def test_a_password_for_the_relay_is_good_for_minutes_and_for_one_browser(visit: Conversation) -> None:
    async with inside(visit, "resident") as resident:
        told = (await resident.kind("welcome"))
        [relay] = told["ice"]["servers"]
        ends, _, name = relay["username"].partition(":")
        assert name == told["you"]
        assert 60 < int(ends) - time.time() <= 3600
        right = base64.b64encode(hmac.digest(SECRET, relay["username"].encode(), hashlib.sha1)).decode()
        assert relay["credential"] == right


@pytest.mark.parametrize(("who", "why", "status"), [
    ("stranger", "records.not-found", 404), ("specialist", "internet_hospital.call-not-yours", 403)])
async def test_who_has_no_part_in_the_consultation_is_not_let_in(visit: Conversation, who: str, why: str, status: int) -> None:
    async with inside(visit, who) as browser:
        assert (await browser.kind("refused"))["why"] == why
        assert await browser.closed() == 4003
    async with httpx.AsyncClient(cookies=visit.cookies(who), timeout=60) as client:
        assert (await client.get(visit.url + visit.room, headers={"accept": "text/html"})).status_code == status


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_page_of_another_site_does_not_get_a_line(visit: Conversation, origin: str) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in visit.cookies("doctor").items())
    with pytest.raises(InvalidStatus, match="403"):
        await connect(f"{visit.url.replace('http', 'ws')}{visit.room}/line", additional_headers={"cookie": cookies, "origin": origin})


async def test_a_doctor_who_has_not_proved_to_be_there_is_not_let_in(visit: Conversation, server: Server) -> None:
    other = converse(server, f"{next(_numbers)}")
    other.sessions["doctor"] = visit.sessions["doctor"]
    other.put(other.get(f"Encounter/{other.encounter}") | {"participant": visit.get(f"Encounter/{visit.encounter}")["participant"]})
    async with inside(other, "doctor") as doctor:
        assert (await doctor.kind("refused"))["why"] == "internet_hospital.not-present"


async def test_what_was_said_while_the_line_was_broken_comes_afterwards_and_once(visit: Conversation) -> None:
    async with inside(visit, "doctor") as doctor:
        await welcomed(doctor)
        async with inside(visit, "resident", run="the-same-load-of-it") as resident:
            await welcomed(resident)
            await doctor.say(kind="signal", to=resident.me, body={"number": 1})
            first = await resident.kind("signal")
            await resident.say(kind="taken", id=first["id"])
            resident.socket.transport.abort()
        gone = await doctor.people(lambda people, _: people.get("resident", {}).get("silent") is True)
        assert gone["resident"]["here"] is True, "a broken connection is not the end"
        await doctor.say(kind="signal", to=gone["resident"]["peer"], body={"number": 2})
        async with inside(visit, "resident", run="the-same-load-of-it") as again:
            assert (await again.kind("welcome"))["you"] == gone["resident"]["peer"]
            heard = await again.kind("signal")
            assert heard["body"]["number"] == 2
            assert not [one for one in again.heard if one.get("body") == {"number": 1}]


async def test_a_second_device_is_refused_with_the_reason_and_may_take_over(visit: Conversation) -> None:
    async with inside(visit, "resident", "phone") as phone:
        await welcomed(phone)
        async with inside(visit, "resident", "tablet") as tablet:
            refused = await tablet.kind("refused")
            assert refused["why"] == "internet_hospital.call-elsewhere"
            assert "another device" in refused["text"]
            assert await tablet.closed() == 4003
        async with inside(visit, "resident", "tablet", move=True) as tablet:
            await welcomed(tablet)
            assert await phone.closed() == 4001
            assert phone.heard[-1]["kind"] == "moved"


async def test_whoever_logs_out_is_out_of_the_call(visit: Conversation) -> None:
    async with inside(visit, "resident") as resident:
        await welcomed(resident)
        await asyncio.to_thread(visit.revoke, "resident")
        assert await resident.closed() == 4003


async def test_a_call_ends_with_its_consultation(visit: Conversation) -> None:
    async with inside(visit, "doctor") as doctor:
        await welcomed(doctor)
        visit.become("finished")
        assert (await doctor.kind("refused"))["why"] == "internet_hospital.call-closed"
        assert await doctor.closed() == 4003
    async with inside(visit, "resident") as resident:
        assert (await resident.kind("refused"))["why"] == "internet_hospital.call-closed"


async def test_only_the_resident_may_wait_before_the_doctor_has_begun(visit: Conversation) -> None:
    visit.become("arrived")
    async with inside(visit, "resident") as resident, inside(visit, "doctor") as doctor:
        await welcomed(resident)
        assert (await doctor.kind("refused"))["why"] == "internet_hospital.call-not-begun"


async def test_a_bad_network_takes_the_picture_then_the_voice_and_both_see_it(visit: Conversation) -> None:
    async with inside(visit, "doctor") as doctor, inside(visit, "resident") as resident:
        await welcomed(doctor)
        await welcomed(resident)
        await resident.say(kind="level", level="video", why="")
        for expected, samples in (("low", 3), ("audio", 3), ("text", 5)):
            for _ in range(samples):
                await resident.say(kind="sample", lost=0.6, kbps=None, ms=900)
            assert (await resident.kind("adapt"))["level"] == expected
            seen = await doctor.people(lambda people, _, level=expected: people.get("resident", {}).get("level") == level)
            assert seen["resident"]["why"] == "network"


async def test_what_the_resident_gave_up_by_choice_the_network_does_not_bring_back(visit: Conversation) -> None:
    async with inside(visit, "resident") as resident:
        await welcomed(resident)
        await resident.say(kind="level", level="audio", why="choice")
        for _ in range(12):
            await resident.say(kind="sample", lost=0, kbps=2000, ms=20)
        await resident.say(kind="ice")
        await resident.kind("ice")
        assert not [one for one in resident.heard if one["kind"] == "adapt"]


@pytest.mark.parametrize("words", ["[]", "no json", '{"kind": "shout"}', '{"kind": "level", "level": "hologram"}'])
async def test_words_that_no_browser_of_ours_says_end_the_line(visit: Conversation, words: str) -> None:
    async with inside(visit, "resident") as resident:
        await welcomed(resident)
        await resident.socket.send(words)
        assert await resident.closed() in {4400, 4003}


async def test_a_flood_ends_the_line(visit: Conversation) -> None:
    async with inside(visit, "resident") as resident:
        await welcomed(resident)
        with pytest.raises(ConnectionClosed):
            await flood(resident)


async def flood(browser: Browser) -> None:
    """Say much more than a browser of ours ever would."""
    for _ in range(2000):
        await browser.say(kind="taken", id=0)
        await asyncio.sleep(0)
    await browser.until(lambda _: False)


async def test_nobody_reaches_a_browser_of_another_call(visit: Conversation, server: Server) -> None:
    other = converse(server, str(next(_numbers)))
    async with inside(visit, "resident") as resident, inside(other, "resident") as stranger:
        await welcomed(resident)
        await welcomed(stranger)
        await stranger.say(kind="signal", to=resident.me, body={"number": 1})
        await stranger.say(kind="ice")
        await stranger.kind("ice")
        await resident.say(kind="ice")
        await resident.kind("ice")
        assert not [one for one in resident.heard if one["kind"] == "signal"]


async def agreed(*browsers: Browser) -> str:
    """Everybody agrees; the id of the recording that runs then."""
    for browser in browsers:
        await browser.say(kind="agree", agreed=True)
    return str((await browsers[0].people(lambda _, recording: recording is not None))["recording"])


async def send_part(visit: Conversation, recording: str, number: int, content: bytes, who: str = "doctor") -> int:
    """A part of the film, as the doctor's browser sends it."""
    address = f"{visit.url}{visit.room}/recordings/{recording}/{number}"
    async with httpx.AsyncClient(cookies=visit.cookies(who), timeout=60) as client:
        token = (await client.get(f"{visit.url}{visit.room}")).text.split('name="csrf" content="')[1].split('"')[0]
        return (await client.post(address, content=content, headers={"content-type": "video/webm", "x-csrf-token": token})).status_code


async def test_a_recording_runs_while_both_agree_and_ends_at_once_when_one_withdraws(visit: Conversation, server: Server) -> None:
    async with inside(visit, "doctor") as doctor, inside(visit, "resident") as resident:
        await welcomed(doctor)
        await welcomed(resident)
        await doctor.say(kind="agree", agreed=True)
        asked = await resident.people(lambda people, _: people.get("doctor", {}).get("agreed") is True)
        assert asked["recording"] is None, "one side alone records nothing"
        assert await send_part(visit, "recording-of-one", 0, b"film") == 409
        recording = await agreed(resident)
        assert await send_part(visit, recording, 0, b"FILM-ONE-") == 204
        assert await send_part(visit, recording, 0, b"again the same number") == 204
        assert await send_part(visit, recording, 1, b"FILM-TWO") == 204
        assert await send_part(visit, recording, 2, b"from the wrong side", "resident") == 403
        await resident.say(kind="agree", agreed=False)
        await resident.people(lambda _, running: running is None)
        assert await send_part(visit, recording, 2, b"TOO-LATE") == 409
    media = await found_media(visit, recording)
    assert media["encounter"]["reference"] == f"Encounter/{visit.encounter}"
    assert media["content"]["contentType"] == "video/webm"
    for who, status in (("resident", 200), ("doctor", 200), ("stranger", 404)):
        film = await looked_at(f"{visit.url}/calls/recordings/{recording}/film", cookies=visit.cookies(who))
        assert film.status_code == status, who
        assert status != 200 or film.content == b"FILM-ONE-FILM-TWO"
    files = [path.read_bytes() for path in (server.data / "postgres").rglob("*") if path.is_file()]
    assert not any(b"FILM-ONE-" in content for content in files), "what is kept is sealed"


async def looked_at(address: str, **told: Any) -> httpx.Response:
    """What somebody gets at an address."""
    async with httpx.AsyncClient(timeout=60, **told) as client:
        return await client.get(address)


async def found_media(visit: Conversation, recording: str) -> dict[str, Any]:
    """The Media by which a recording is found; a job writes it after the recording has ended."""
    for _ in range(100):
        answer = (await looked_at(f"{visit.url}/fhir/Media?encounter=Encounter/{visit.encounter}")).json()
        if answer.get("entry"):
            assert [one["resource"]["id"] for one in answer["entry"]] == [recording]
            return answer["entry"][0]["resource"]
        await asyncio.sleep(0.1)
    raise AssertionError("no Media tells of the recording")


async def test_a_third_person_who_comes_stops_the_recording_until_he_agrees(visit: Conversation) -> None:
    async with inside(visit, "doctor") as doctor, inside(visit, "resident") as resident:
        await welcomed(doctor)
        await welcomed(resident)
        first = await agreed(resident, doctor)
        link = await invited(visit, "doctor", role="interpreter", name="翻译小林")
        async with inside(visit, cookie=opened(visit, link)) as guest:
            await welcomed(guest)
            await doctor.people(lambda people, running: "guest" in people and running is None)
            await guest.say(kind="agree", agreed=True)
            told = await doctor.people(lambda _, running: running is not None)
            assert told["recording"] != first


async def invited(visit: Conversation, who: str, **asked: str) -> str:
    """Invite by the API; the link, or '' for a practitioner."""
    parameter = [
        {"name": name, "valueReference": {"reference": value}} if name == "practitioner" else {"name": name, "valueString": value}
        for name, value in asked.items()]
    headers = {"authorization": f"Bearer {visit.sessions[who]}", "content-type": "application/fhir+json"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        answer = await client.post(
            f"{visit.url}/fhir/Encounter/{visit.encounter}/$call-invite", json={"resourceType": "Parameters", "parameter": parameter})
    assert answer.status_code == 201, answer.text
    return next((one["valueUrl"] for one in answer.json().get("parameter", [])), "")


def opened(visit: Conversation, link: str) -> str:
    """Open a link as a browser does; the cookie that it keeps."""
    with httpx.Client(base_url=visit.url, headers={"accept": "text/html"}, timeout=60) as client:
        path = link.removeprefix(visit.url)
        page = client.get(path)
        assert page.status_code == 200, page.text
        token = page.text.split('name="csrf" value="')[1].split('"')[0]
        answer = client.post(path, data={"csrf": token})
        assert answer.status_code == 303, answer.text
        assert client.get(path).status_code == 410, "a link opens once"
        # The cookie belongs to the room of guests alone.
        return answer.headers["set-cookie"].split(";")[0]


async def test_a_guest_sees_the_call_and_nothing_of_the_record_until_taken_back(visit: Conversation) -> None:
    async with inside(visit, "resident") as resident:
        await welcomed(resident)
        link = await invited(visit, "resident", role="family", name="女儿小芳")
        cookie = opened(visit, link)
        async with inside(visit, cookie=cookie) as guest:
            await welcomed(guest)
            seen = await resident.people(lambda people, _: "guest" in people)
            assert (seen["guest"]["name"], seen["guest"]["role"]) == ("女儿小芳", "family")
            for path in (visit.room, f"/fhir/Encounter/{visit.encounter}", f"/fhir/Patient/{visit.patient}"):
                async with httpx.AsyncClient(base_url=visit.url, headers={"cookie": cookie, "authorization": "Bearer x", "accept": "application/json"}, timeout=60) as client:
                    assert (await client.get(path)).status_code == 401, path
            assert visit.get(f"Encounter/{visit.encounter}")["participant"][-1]["individual"] == {"display": "女儿小芳"}
            await taken_back(visit, "resident")
            assert await guest.closed() == 4003
        async with inside(visit, cookie=cookie) as guest:
            assert (await guest.kind("refused"))["why"] == "internet_hospital.call-invitation-over"


async def taken_back(visit: Conversation, who: str) -> None:
    headers = {"authorization": f"Bearer {visit.sessions[who]}", "content-type": "application/fhir+json"}
    async with httpx.AsyncClient(base_url=f"{visit.url}/fhir/Encounter/{visit.encounter}", headers=headers, timeout=60) as client:
        told = (await client.post("/$call", json={"resourceType": "Parameters"})).json()
        invitation = next(one for one in told["parameter"] if one["name"] == "invitation")
        id_ = next(part["valueId"] for part in invitation["part"] if part["name"] == "id")
        answer = await client.post("/$call-uninvite", json={"resourceType": "Parameters", "parameter": [{"name": "invitation", "valueString": id_}]})
        assert answer.status_code == 200, answer.text


async def test_a_specialist_comes_by_the_own_login_and_sees_the_record_from_then_on(visit: Conversation) -> None:
    number = visit.encounter.rpartition("-")[2]
    async with inside(visit, "specialist") as outside:
        assert (await outside.kind("refused"))["why"] == "internet_hospital.call-not-yours"
    await invited(visit, "doctor", role="specialist", name="赵明远", practitioner=f"Practitioner/call-specialist-{number}")
    async with inside(visit, "specialist") as specialist:
        await welcomed(specialist)
        here = await specialist.people(lambda people, _: "guest" in people)
        assert here["guest"]["role"] == "specialist"
    token = {"authorization": f"Bearer {visit.sessions['specialist']}"}
    patient = await looked_at(f"{visit.url}/fhir/Patient/{visit.patient}", headers=token)
    assert patient.status_code == 200


@pytest.mark.parametrize(("who", "asked", "status"), [
    ("resident", {"role": "specialist", "name": "谁"}, 422), ("doctor", {"role": "spy", "name": "谁"}, 422), ("doctor", {"role": "family", "name": ""}, 422),
    ("doctor", {"role": "family", "name": "很" * 41}, 422), ("stranger", {"role": "family", "name": "谁"}, 404),
])
async def test_who_may_not_invite_or_invites_nobody_is_refused(visit: Conversation, who: str, asked: dict[str, str], status: int) -> None:
    parameter = [{"name": name, "valueString": value} for name, value in asked.items() if value]
    headers = {"authorization": f"Bearer {visit.sessions[who]}", "content-type": "application/fhir+json"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        asked_for = f"{visit.url}/fhir/Encounter/{visit.encounter}/$call-invite"
        answer = await client.post(asked_for, json={"resourceType": "Parameters", "parameter": parameter})
    assert answer.status_code == status, answer.text
    assert len(visit.get(f"Encounter/{visit.encounter}")["participant"]) == 1


async def test_a_program_agrees_and_withdraws_by_the_api(visit: Conversation) -> None:
    headers = {"authorization": f"Bearer {visit.sessions['resident']}", "content-type": "application/fhir+json"}
    body: dict[str, Any] = {"resourceType": "Parameters", "parameter": [{"name": "agreed", "valueBoolean": True}]}
    async with httpx.AsyncClient(base_url=f"{visit.url}/fhir/Encounter/{visit.encounter}", headers=headers, timeout=60) as client:
        assert (await client.post("/$call-record", json=body)).status_code == 409, "who is not in the call agrees to nothing"
        async with inside(visit, "doctor") as doctor, inside(visit, "resident") as resident:
            await welcomed(doctor)
            await welcomed(resident)
            await doctor.say(kind="agree", agreed=True)
            assert (await client.post("/$call-record", json=body)).status_code == 200
            await doctor.people(lambda _, running: running is not None)
            told = (await client.post("/$call-record", json={"resourceType": "Parameters"})).json()
            assert not [one for one in told["parameter"] if one["name"] == "recording"]


def test_the_licence_of_the_form_finds_the_specialist(visit: Conversation) -> None:
    with httpx.Client(base_url=visit.url, cookies=visit.cookies("doctor"), headers={"accept": "text/html"}, timeout=60) as client:
        token = client.get(visit.room).text.split('name="csrf" content="')[1].split('"')[0]
        form = {"csrf": token, "role": "specialist", "name": "赵明远", "license": LICENCE + visit.encounter.rpartition("-")[2]}
        assert client.post(f"{visit.room}/invitations", data=form).status_code == 200
        assert client.post(f"{visit.room}/invitations", data=form | {"license": "nobody"}).status_code == 422
    assert [one.get("individual", {}).get("display") for one in visit.get(f"Encounter/{visit.encounter}")["participant"]] == ["王建国", "赵明远"]
