"""Apps of people over the real endpoints: PKCE, consent, launch contexts, refresh rotation, what a stolen code is worth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from kangyun.app.services import Services
from kangyun.commons.access.actions import clients
from kangyun.commons.access.decisions.tokens import SIGNING_KEY
from kangyun.commons.access.tests.apps import (
    BACK,
    Asking,
    app,
    claims,
    doctor_in,
    in_record,
    observation,
    resident_in,
    seen_by,
    told_at,
    ward_of,
)
from kangyun.commons.access.tests.doors import OPERATOR, Browser, browser, later

READ = "launch/patient patient/*.rs openid fhirUser profile offline_access"


@pytest.fixture
async def at(services: Services) -> AsyncIterator[Browser]:
    async with browser(services) as one:
        yield one


async def test_somebody_who_is_not_logged_in_logs_in_first_and_comes_back(services: Services, at: Browser) -> None:
    page = await Asking(at, (await app(services)).id).begin(READ)
    answer = await at.get(page)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=%2Foauth%2Fauthorize%3Fasking%3D")


async def test_a_resident_lets_an_app_read_the_own_record(services: Services, at: Browser) -> None:
    actor, patient = await resident_in(services, at, "林一", "990101196005010011")
    other = (await resident_in(services, Browser(at.client.__class__()), "林二", "990101196005010012"))[1]
    mine, theirs = await observation(services, patient), await observation(services, other)
    asking = Asking(at, (await app(services)).id)
    page = await at.get(await asking.begin(READ))
    assert "Pressure diary" in page.text
    assert "The whole health record" in page.text
    assert "林一" in page.text
    assert "form-action 'self' https://app.example;" in page.headers["content-security-policy"]
    told = await asking.answered(READ, patient=patient)
    assert (told["state"], told["iss"]) == ("s 1", "http://kangyun.test")
    tokens = (await asking.redeem(told["code"])).json()
    assert (tokens["patient"], tokens["token_type"], tokens["need_patient_banner"]) == (patient, "Bearer", True)
    assert set(tokens["scope"].split()) == set(READ.split())
    seen = (await asking.fhir(tokens["access_token"], "Observation")).json()
    assert [entry["resource"]["id"] for entry in seen["entry"]] == [mine]
    assert (await asking.fhir(tokens["access_token"], f"Observation/{theirs}")).status_code == 404
    me = await at.client.get("/oauth/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
    assert me.json() == {"sub": actor.account, "fhirUser": f"http://kangyun.test/fhir/Person/{actor.person}", "name": "林一"}


async def test_the_id_token_is_signed_by_a_key_of_the_published_set_also_after_it_was_rotated(services: Services, at: Browser) -> None:
    actor, patient = await resident_in(services, at, "林三", "990101196005010013")
    asking = Asking(at, (await app(services)).id)
    tokens = await asking.tokens(READ, patient)
    services.keys.rotate(SIGNING_KEY)
    keys = KeySet.import_key_set((await at.get("/oauth/jwks")).json())
    said = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
    assert (said["iss"], said["aud"], said["sub"], said["nonce"]) == ("http://kangyun.test", asking.client, actor.account, "n-1")
    assert said["fhirUser"].endswith(f"/fhir/Person/{actor.person}")
    newer = jwt.decode((await asking.tokens(READ, patient))["id_token"], keys, algorithms=["ES256"])
    assert newer.header["kid"] == services.keys.public(SIGNING_KEY)[0].id


async def test_scopes_narrow_by_type_interaction_and_condition(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林四", "990101196005010014")
    laboratory, vital = await observation(services, patient), await observation(services, patient, "vital-signs")
    asking = Asking(at, (await app(services)).id)
    scope = "launch/patient patient/Observation.rs?category=laboratory patient/Patient.r"
    token = (await asking.tokens(scope, patient))["access_token"]
    seen = (await asking.fhir(token, f"Observation?patient={patient}")).json()
    assert [entry["resource"]["id"] for entry in seen["entry"]] == [laboratory]
    assert (await asking.fhir(token, f"Observation/{vital}")).status_code == 404
    assert (await asking.fhir(token, f"Patient/{patient}")).status_code == 200
    assert (await asking.fhir(token, "Patient")).status_code == 403
    refused = await asking.fhir(token, "Condition")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (403, 'Bearer realm="kangyun", error="insufficient_scope"')
    assert (await asking.fhir("made-up", "Condition")).headers["www-authenticate"] == 'Bearer realm="kangyun", error="invalid_token"'
    deleted = await at.client.delete(f"/fhir/Observation/{laboratory}", headers={"authorization": f"Bearer {token}"})
    assert deleted.status_code in {403, 404}


async def test_a_token_opens_no_pages_of_people(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林五", "990101196005010015")
    tokens = await Asking(at, (await app(services)).id).tokens(READ, patient)
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    for path in ("/account", "/account/apps", "/resident/card", "/clients"):
        assert (await at.client.get(path, headers=bearer | {"accept": "application/json"})).status_code in {401, 403}, path


async def test_a_guardian_lets_an_app_see_the_ward_only(services: Services, at: Browser) -> None:
    actor, own = await resident_in(services, at, "林六", "990101196005010016")
    ward = await ward_of(services, actor, "林小六", "990101201505010017")
    seen = await observation(services, ward)
    await observation(services, own)
    asking = Asking(at, (await app(services)).id)
    page = await at.get(await asking.begin(READ))
    assert "林小六" in page.text
    tokens = await asking.tokens(READ, ward)
    assert tokens["patient"] == ward
    found = (await asking.fhir(tokens["access_token"], "Observation")).json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == [seen]
    async with services.database.connection() as connection:
        await connection.execute("UPDATE account_ward SET state = 'ended' WHERE account = $1", actor.account)
    assert (await asking.renew(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await asking.fhir(tokens["access_token"], "Observation")).status_code == 401


async def test_nobody_chooses_somebody_elses_record(services: Services, at: Browser) -> None:
    await resident_in(services, at, "林七", "990101196005010018")
    other = (await resident_in(services, Browser(at.client.__class__()), "林八", "990101196005010019"))[1]
    asking = Asking(at, (await app(services)).id)
    page = await asking.begin(READ)
    answer = await at.post(page, "/oauth/authorize", asking=page.partition("asking=")[2], act="allow", patient=other)
    assert answer.status_code == 422


async def test_no_is_told_to_the_app_and_ends_the_request(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林九", "990101196005010020")
    asking = Asking(at, (await app(services)).id)
    page = await asking.begin(READ)
    secret = page.partition("asking=")[2]
    answer = await at.post(page, "/oauth/authorize", asking=secret, act="deny")
    told = told_at(answer.headers["location"])
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "s 1", "http://kangyun.test")
    assert (await at.get(page)).status_code == 404
    del patient


async def test_a_code_used_twice_ends_the_tokens_of_the_first_use(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林十", "990101196005010021")
    asking = Asking(at, (await app(services)).id)
    code = (await asking.answered(READ, patient=patient))["code"]
    tokens = (await asking.redeem(code)).json()
    assert (await asking.fhir(tokens["access_token"], f"Patient/{patient}")).status_code == 200
    again = await asking.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await asking.fhir(tokens["access_token"], f"Patient/{patient}")).status_code == 401
    assert (await asking.renew(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_code_is_good_for_its_client_its_address_its_verifier_and_a_minute(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林百", "990101196005010022")
    one, other = (await app(services)).id, (await app(services)).id
    asking = Asking(at, one)
    wrong = [{"client_id": other}, {"redirect_uri": f"{BACK}/"}, {"code_verifier": "w" * 64}, {"code_verifier": ""}]
    for more in wrong:
        code = (await asking.answered(READ, patient=patient))["code"]
        assert (await asking.redeem(code, **more)).json()["error"] == "invalid_grant", more
        assert (await asking.redeem(code)).json()["error"] == "invalid_grant"
    code = (await asking.answered(READ, patient=patient))["code"]
    later(seconds=61)
    assert (await asking.redeem(code)).json()["error"] == "invalid_grant"


async def test_refresh_tokens_rotate_and_an_old_one_ends_the_family(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林千", "990101196005010023")
    asking = Asking(at, (await app(services)).id)
    first = await asking.tokens(READ, patient)
    second = (await asking.renew(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["patient"] == patient
    narrow = (await asking.renew(second["refresh_token"], scope="patient/Observation.rs")).json()
    assert narrow["scope"] == "patient/Observation.rs"
    wide = (await asking.renew(narrow["refresh_token"])).json()
    assert "patient/*.rs" in wide["scope"]
    assert (await asking.renew(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await asking.fhir(wide["access_token"], "Observation")).status_code == 401
    assert (await asking.renew(wide["refresh_token"])).json()["error"] == "invalid_grant"


async def test_without_offline_access_there_is_no_refresh_token_and_an_hour_is_the_end(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林万", "990101196005010024")
    asking = Asking(at, (await app(services)).id)
    tokens = await asking.tokens("launch/patient patient/*.rs", patient)
    assert "refresh_token" not in tokens
    assert "id_token" not in tokens
    later(seconds=tokens["expires_in"] + 1)
    assert (await asking.fhir(tokens["access_token"], "Observation")).status_code == 401


async def test_an_app_ends_its_own_tokens_and_nobody_elses(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林亿", "990101196005010025")
    asking, other = Asking(at, (await app(services)).id), (await app(services)).id
    tokens = await asking.tokens(READ, patient)
    assert (await asking.post("revoke", token=tokens["access_token"], client_id=other)).status_code == 200
    assert (await asking.fhir(tokens["access_token"], "Observation")).status_code == 200
    assert (await asking.post("revoke", token=tokens["access_token"], client_id=asking.client)).status_code == 200
    assert (await asking.fhir(tokens["access_token"], "Observation")).status_code == 401
    renewed = (await asking.renew(tokens["refresh_token"])).json()
    assert (await asking.post("revoke", token=renewed["refresh_token"], client_id=asking.client)).status_code == 200
    assert (await asking.fhir(renewed["access_token"], "Observation")).status_code == 401
    assert (await asking.renew(renewed["refresh_token"])).json()["error"] == "invalid_grant"


async def test_the_person_disconnects_an_app(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林兆", "990101196005010026")
    asking = Asking(at, (await app(services)).id)
    tokens = await asking.tokens(READ, patient)
    page = await at.get("/account/apps")
    assert "Pressure diary" in page.text
    grant = page.text.split('name="grant" value="')[1].split('"')[0]
    assert (await at.post("/account/apps", "/account/apps/end", grant=grant)).status_code == 303
    assert "No app is connected" in (await at.get("/account/apps")).text
    assert (await asking.fhir(tokens["access_token"], "Observation")).status_code == 401
    assert (await asking.renew(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_logging_out_everywhere_ends_apps_too(services: Services, at: Browser) -> None:
    actor, patient = await resident_in(services, at, "林京", "990101196005010027")
    asking = Asking(at, (await app(services)).id)
    tokens = await asking.tokens(READ, patient)
    await services.entries.revoke(account=actor.account)
    assert (await asking.renew(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_client_that_is_shut_out_loses_everything_at_once(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林垓", "990101196005010028")
    asking = Asking(at, (await app(services)).id)
    tokens = await asking.tokens(READ, patient)
    await clients.revoke(services, OPERATOR, asking.client)
    assert (await asking.fhir(tokens["access_token"], "Observation")).status_code == 401
    assert (await asking.renew(tokens["refresh_token"])).json()["error"] == "invalid_client"
    assert (await at.get(asking.request(READ))).status_code == 400


@pytest.mark.parametrize(("more", "error"), [
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"aud": None}, "invalid_request"),
    ({"aud": "https://elsewhere.example/fhir"}, "invalid_request"),
    ({"scope": "system/*.rs"}, "invalid_scope"),
    ({"scope": None}, "invalid_scope"),
    ({"prompt": "none"}, "interaction_required"),
    ({"request_uri": "https://app.example/r"}, "request_not_supported"),
    ({"launch": "abc"}, "invalid_request"),
    ({"response_mode": "fragment"}, "invalid_request"),
])
async def test_what_cannot_be_asked_is_told_to_the_app(services: Services, at: Browser, more: dict[str, str | None], error: str) -> None:
    answer = await at.get(Asking(at, (await app(services)).id).request(**({"scope": READ} | more)))  # pyright: ignore[reportArgumentType]
    told = told_at(answer.headers["location"])
    assert (told["error"], told["state"], told["iss"]) == (error, "s 1", "http://kangyun.test")


@pytest.mark.parametrize("address", [
    "https://app.example/back/", "https://app.example/back?x=1", "https://APP.example/back", "https://evil.example/back", "//evil.example",
    "https://app.example/back#x", "javascript:alert(1)", "https://app.example.evil.example/back", "", "https://app.example/%62ack",
])
async def test_nobody_is_sent_to_an_address_that_is_not_registered(services: Services, at: Browser, address: str) -> None:
    answer = await at.get(Asking(at, (await app(services)).id).request(READ, redirect_uri=address))
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_an_unknown_app_is_told_to_the_person_only(services: Services, at: Browser) -> None:
    answer = await at.get(Asking(at, "nobody").request(READ))
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_parameter_that_comes_twice_counts_for_nothing(services: Services, at: Browser) -> None:
    address = Asking(at, (await app(services)).id).request(READ)
    answer = await at.get(f"{address}&redirect_uri=https%3A%2F%2Fevil.example%2F")
    assert answer.status_code == 400


async def test_an_answer_needs_the_forms_token(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林秭", "990101196005010029")
    page = await Asking(at, (await app(services)).id).begin(READ)
    form = {"asking": page.partition("asking=")[2], "act": "allow", "patient": patient}
    assert (await at.client.post("/oauth/authorize", data=form)).status_code == 403


async def test_a_confidential_app_must_prove_itself(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林穰", "990101196005010030")
    made = await app(services, "confidential")
    assert made.secret
    asking = Asking(at, made.id)
    code = (await asking.answered(READ, patient=patient))["code"]
    assert (await asking.redeem(code)).status_code == 401
    assert (await asking.redeem(code, client_secret="wrong")).json()["error"] == "invalid_client"
    answer = await asking.redeem(code, client_secret=made.secret)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


async def test_a_doctor_opens_an_app_for_the_resident_in_front(services: Services, at: Browser) -> None:
    doctor = await doctor_in(services, at, "史医生")
    patient = (await in_record(services, "林壹", "990101196005010051", "1960-05-01"))[1]
    other = (await in_record(services, "林贰", "990101196005010052", "1960-05-01"))[1]
    visit = await seen_by(services, doctor, patient)
    await seen_by(services, doctor, other)
    mine, theirs = await observation(services, patient), await observation(services, other)
    asking = Asking(at, (await app(services)).id)
    page = f"/oauth/apps/{patient}"
    assert "Pressure diary" in (await at.get(page)).text
    opened = await at.post(page, "/oauth/launch", app=asking.client, patient=patient, encounter=visit)
    where, told = opened.headers["location"].split("?")
    assert where == "https://app.example/launch"
    launch = dict(parse_qsl(told))
    assert launch["iss"] == "http://kangyun.test/fhir"
    scope = "launch openid fhirUser patient/*.rs"
    asked = await at.get(await asking.begin(scope, launch=launch["launch"]))
    assert "林壹" in asked.text
    tokens = await asking.tokens(scope, launch=launch["launch"])
    assert (tokens["patient"], tokens["encounter"]) == (patient, visit)
    assert claims(tokens["id_token"])["fhirUser"] == f"http://kangyun.test/fhir/Practitioner/{doctor.practitioner}"
    seen = (await asking.fhir(tokens["access_token"], "Observation")).json()
    assert [entry["resource"]["id"] for entry in seen["entry"]] == [mine]
    assert (await asking.fhir(tokens["access_token"], f"Observation/{theirs}")).status_code == 404
    assert (await asking.fhir(tokens["access_token"], f"Patient/{other}")).status_code == 404


async def test_a_launch_is_good_for_who_made_it_and_for_minutes(services: Services, at: Browser) -> None:
    doctor = await doctor_in(services, at, "史甲")
    patient = (await in_record(services, "林叁", "990101196005010053", "1960-05-01"))[1]
    await seen_by(services, doctor, patient)
    asking, other = Asking(at, (await app(services)).id), Asking(at, (await app(services)).id)
    opened = await at.post(f"/oauth/apps/{patient}", "/oauth/launch", app=asking.client, patient=patient)
    launch = opened.headers["location"].partition("launch=")[2]
    scope = "launch patient/*.rs"
    assert (await at.get(await other.begin(scope, launch=launch))).status_code == 404
    assert (await at.get(await asking.begin(scope, launch="made-up"))).status_code == 404
    assert (await at.get(await asking.begin(scope, launch=launch))).status_code == 200
    mine = at.session
    await resident_in(services, at, "林肆", "990101196005010054")
    assert (await at.get(await asking.begin(scope, launch=launch))).status_code == 404
    at.client.cookies.set("kangyun_session", mine or "")
    later(minutes=6)
    assert (await at.get(await asking.begin(scope, launch=launch))).status_code == 404


async def test_a_doctor_opens_no_app_for_somebody_else_and_looks_up_whom_the_role_allows(services: Services, at: Browser) -> None:
    doctor = await doctor_in(services, at, "史乙")
    patient = (await in_record(services, "林伍", "990101196005010055", "1960-05-01"))[1]
    stranger = (await in_record(services, "林伍陆", "990101196005010056", "1960-05-01"))[1]
    await seen_by(services, doctor, patient)
    asking = Asking(at, (await app(services)).id)
    assert "There is no app to open" in (await at.get(f"/oauth/apps/{stranger}")).text
    assert (await at.post(f"/oauth/apps/{patient}", "/oauth/launch", app=asking.client, patient=stranger)).status_code == 404
    page = await asking.begin("launch/patient patient/*.rs")
    secret = page.partition("asking=")[2]
    assert "Allow</button>" not in (await at.get(page)).text
    found = await at.post(page, "/oauth/authorize", asking=secret, act="search", q="林伍")
    assert patient in found.text
    assert stranger not in found.text
    assert (await at.post(page, "/oauth/authorize", asking=secret, act="allow", patient=stranger)).status_code == 422
    assert (await asking.tokens("launch/patient patient/*.rs", patient))["patient"] == patient


async def test_an_app_of_a_doctor_ends_with_the_post(services: Services, at: Browser) -> None:
    doctor = await doctor_in(services, at, "史丙")
    asking = Asking(at, (await app(services)).id)
    tokens = await asking.tokens("user/*.rs offline_access")
    assert (await asking.renew(tokens["refresh_token"])).status_code == 200
    tokens = await asking.tokens("user/*.rs offline_access")
    async with services.database.connection() as connection:
        await connection.execute("UPDATE membership SET ends = now() - interval '1 day' WHERE account = $1", doctor.account)
    assert (await asking.renew(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_what_apps_do_is_in_the_audit_trail_without_their_secrets(services: Services, at: Browser) -> None:
    actor, patient = await resident_in(services, at, "林沟", "990101196005010031")
    asking = Asking(at, (await app(services)).id)
    tokens = await asking.tokens(READ, patient)
    await services.trail.settled()
    async with services.database.connection() as connection:
        rows = await connection.fetch("SELECT body FROM audit_event WHERE name = $1", actor.name)
    said = "\n".join(row["body"] for row in rows)
    assert "app-allow" in said
    assert '"token"' in said
    assert f"client/{asking.client}" in said
    assert tokens["access_token"] not in said
    assert tokens["refresh_token"] not in said


async def test_a_scope_that_the_app_may_not_have_is_left_out(services: Services, at: Browser) -> None:
    _, patient = await resident_in(services, at, "林涧", "990101196005010032")
    asking = Asking(at, (await app(services, scopes="launch/patient patient/Observation.rs")).id)
    tokens = await asking.tokens("launch/patient patient/*.cruds offline_access", patient)
    assert tokens["scope"] == "launch/patient patient/Observation.rs"
    assert "refresh_token" not in tokens
