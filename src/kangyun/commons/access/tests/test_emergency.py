"""Break-glass: it opens one person to one account for a day, tells the resident, and is reviewed."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.errors import Problem
from kangyun.commons.access import NOTICE_CATEGORY, SESSION_COOKIE, Actor, Whom, break_glass
from kangyun.commons.access.actions import emergency
from kangyun.commons.access.actions.notices import said
from kangyun.commons.access.decisions import emergency as decisions
from kangyun.commons.access.queries import emergency as reads
from kangyun.commons.access.tests.test_consents import City

_WORDS = "车祸大出血，需要核对过敏史"


class Phones:
    """A gateway that remembers whom it told what."""

    ready = True

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def send(self, phone: str, text_key: str, **_params: Any) -> None:
        self.sent.append((phone, text_key))


@pytest.fixture
async def city(services: Services) -> City:
    made = City(services)
    await made.make()
    return made


def doctor(city: City, account: str) -> Actor:
    """A hospital doctor at the hospital that keeps the resident but has no sight of the rest."""
    return Actor(f"user/{account}", "hospital_doctor", institution=city.ids["near"], account=account)


async def test_it_opens_everything_of_one_person_to_one_account(city: City, services: Services) -> None:
    assert await city.sees("near", "rescuer") == {"cold"}
    await city.consent({"type": "deny", "actor": city.at("near")})
    assert await city.sees("near", "rescuer") == set()
    await break_glass(services, doctor(city, "rescuer"), Whom(city.ids["at-near"]), "life", _WORDS)
    assert await city.sees("near", "rescuer") == {"cold", "low", "b24"}
    assert await city.sees("near", "neighbour") == set()
    assert not await city.doctor("near", "rescuer").withheld(city.ids["at-near"])


async def test_it_is_over_after_a_day(city: City, services: Services) -> None:
    made = await break_glass(services, doctor(city, "day"), Whom(city.ids["at-near"]), "life", _WORDS)
    assert made.ends - made.starts == timedelta(hours=24) == decisions.lasts()
    async with services.database.connection() as connection:
        await connection.execute("UPDATE access_opening SET ends = now() WHERE cause = $1", emergency.cause_of(made.id))
    assert await city.sees("near", "day") == {"cold"}


async def test_a_second_one_within_the_day_is_the_first(city: City, services: Services) -> None:
    first = await break_glass(services, doctor(city, "twice"), Whom(city.ids["at-near"]), "life", _WORDS)
    again = await break_glass(services, doctor(city, "twice"), Whom(city.ids["at-far"]), "surgery", _WORDS)
    assert again.id == first.id


async def test_whoever_may_not_or_gives_no_reason_is_refused(city: City, services: Services) -> None:
    clerk = Actor("user/c", "insurer", institution=city.ids["near"], account="c")
    for actor, reason, words, status in (
        (clerk, "life", _WORDS, 403), (doctor(city, "x"), "curious", _WORDS, 422), (doctor(city, "x"), "life", "急", 422),
    ):
        with pytest.raises(Problem) as refused:
            await break_glass(services, actor, Whom(city.ids["at-near"]), reason, words)
        assert refused.value.status == status
    with pytest.raises(Problem) as nobody:
        await break_glass(services, doctor(city, "x"), Whom("nobody-has-this-id"), "life", _WORDS)
    assert nobody.value.status == 404


async def test_a_person_is_found_by_name_and_number_together(city: City, services: Services) -> None:
    number = {"system": "urn:oid:2.16.156.10011.1.3", "value": "990121195603040423"}
    patient = await city.put({"resourceType": "Patient", "name": [{"text": "周秀兰"}], "identifier": [number]})
    await city.put({"resourceType": "Person", "link": [{"target": {"reference": f"Patient/{patient}"}}]})
    with pytest.raises(Problem):
        await break_glass(services, doctor(city, "n"), Whom(name="周秀", number=number["value"]), "life", _WORDS)
    made = await break_glass(services, doctor(city, "n"), Whom(name="周秀兰", number=number["value"]), "life", _WORDS)
    assert made.patient == patient


async def test_the_resident_is_told_by_text_message_once(city: City, services: Services) -> None:
    patient = await city.put({"resourceType": "Patient", "telecom": [{"system": "phone", "value": "+86 138 0000 1234"}]})
    made = await break_glass(services, doctor(city, "t"), Whom(patient), "life", _WORDS)
    phones = Phones()
    parts: Any = SimpleNamespace(database=services.database, gate=services.gate, keys=services.keys, sms=phones)
    for _ in range(2):
        await emergency.tell(parts, {"emergency": made.id})
    assert phones.sent == [("13800001234", "access.sms.emergency")]


async def test_the_resident_finds_it_among_the_notices_once(city: City, services: Services) -> None:
    patient = await city.put({"resourceType": "Patient", "telecom": [{"system": "phone", "value": "+86 138 0000 1299"}]})
    for _ in range(2):
        await break_glass(services, doctor(city, "n"), Whom(patient), "life", _WORDS)
    search = [("patient", f"Patient/{patient}"), ("category", f"{NOTICE_CATEGORY}|")]
    [kept] = (await services.gate.system("tests").search("Communication", search)).resources
    told = said(kept, "zh")
    assert "因紧急情况查看了您的健康档案" in told["text"]
    assert told["page"] == "/resident/consents"


async def test_the_form_says_what_must_be_filled(services: Services, api: httpx.AsyncClient) -> None:
    secret = await services.entries.issue(Actor("user/e", "hospital_doctor", "h", account="e"), kind="session", lasts=600)
    page = (await api.get("/access/emergency", headers={"accept": "text/html", "cookie": f"{SESSION_COOKIE}={secret}"})).text
    assert page.count('class="field-must"') == 4, "name, number, reason, what happened"


async def test_abuse_ends_it_at_once_and_stays_visible(city: City, services: Services) -> None:
    made = await break_glass(services, doctor(city, "abuser"), Whom(city.ids["at-near"]), "other", _WORDS)
    assert made.id in {one.id for one in await reads.waiting(services.database)}
    with pytest.raises(Problem) as own:
        await emergency.review(services, doctor(city, "abuser"), made.id, "accepted", "")
    assert own.value.status == 403
    auditor = Actor("user/auditor", "audit_admin", account="auditor")
    await emergency.review(services, auditor, made.id, "abuse", "不在急诊班")
    assert await city.sees("near", "abuser") == {"cold"}
    judged = {one.id: one for one in await reads.judged(services.database, ["abuse"])}
    assert emergency.said(services, judged[made.id]) == (_WORDS, "不在急诊班")
    with pytest.raises(Problem) as twice:
        await emergency.review(services, auditor, made.id, "accepted", "")
    assert twice.value.status == 409
    again = await break_glass(services, doctor(city, "abuser"), Whom(city.ids["at-near"]), "life", _WORDS)
    assert again.id != made.id, "a rescue later on is a new one"


async def test_written_words_are_sealed_at_rest(city: City, services: Services) -> None:
    made = await break_glass(services, doctor(city, "sealed"), Whom(city.ids["at-far"]), "life", _WORDS)
    assert "车祸".encode() not in made.words
    since = clock.now() - timedelta(days=1)
    assert [one.id for one in await reads.of_patients(services.database, [city.ids["at-near"]], since)] == []
    assert [one.id for one in await reads.of_patients(services.database, [city.ids["at-far"]], since)] == [made.id]
