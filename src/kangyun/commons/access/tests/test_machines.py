"""Services at the token endpoint: secrets, signed assertions, exchange, introspection, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import clients, proving
from kangyun.commons.access.decisions.tokens import ACCESS_TOKEN, ASSERTION_TYPE, EXCHANGE
from kangyun.commons.access.tests.apps import Asking, app, machine, observation, resident_in, service
from kangyun.commons.access.tests.doors import OPERATOR, Browser, browser

TOKEN = "http://kangyun.test/oauth/token"
RS384 = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
ES384 = ECKey.generate_key("P-384", {"kid": "ec", "use": "sig"})
ES256 = ECKey.generate_key("P-256", {"kid": "ec256", "use": "sig"})
KEYS = {"RS384": RS384, "ES384": ES384, "ES256": ES256}
JWKS = json.dumps({"keys": [key.as_dict(private=False) for key in KEYS.values()]})


@pytest.fixture
async def at(services: Services) -> AsyncIterator[Browser]:
    async with browser(services) as one:
        yield one


async def ask(at: Browser, client: str, secret: str | None = None, **more: str) -> httpx.Response:
    told = {"grant_type": "client_credentials", "client_id": client} | ({"client_secret": secret} if secret else {}) | more
    return await machine(at, "/oauth/token", told)


def basic(client: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()}


def assertion(client: str, algorithm: str = "ES384", **more: Any) -> str:
    now = int(clock.now().timestamp())
    claims = {"iss": client, "sub": client, "aud": TOKEN, "exp": now + 240, "jti": secrets.token_hex(8)} | more
    key = KEYS[algorithm]
    return jwt.encode({"alg": algorithm, "kid": key.kid}, {k: v for k, v in claims.items() if v is not None}, key, algorithms=[algorithm])


async def show(at: Browser, client: str, token: str, **more: str) -> httpx.Response:
    told = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": token} | more
    del client
    return await machine(at, "/oauth/token", told)


async def fhir(at: Browser, token: str, path: str = "Patient") -> int:
    answer = await at.client.get(f"/fhir/{path}", headers={"authorization": f"Bearer {token}", "accept": "application/fhir+json"})
    return answer.status_code


async def test_a_service_proves_itself_by_a_secret_in_either_way(services: Services, at: Browser) -> None:
    made = await service(services, "system/Patient.rs system/Observation.rs")
    assert made.secret
    posted = (await ask(at, made.id, made.secret)).json()
    assert posted == {"access_token": posted["access_token"], "token_type": "Bearer", "expires_in": 3600, "scope": "system/Patient.rs system/Observation.rs"}
    headed = await machine(at, "/oauth/token", {"grant_type": "client_credentials", "scope": "system/Patient.read"}, **basic(made.id, made.secret))
    assert headed.json()["scope"] == "system/Patient.rs"
    assert await fhir(at, posted["access_token"], "Observation") == 200
    assert await fhir(at, headed.json()["access_token"]) == 200
    assert await fhir(at, headed.json()["access_token"], "Observation") == 403
    assert await fhir(at, posted["access_token"], "Condition") == 403


async def test_a_wrong_secret_and_an_unknown_client_are_told_alike(services: Services, at: Browser) -> None:
    made = await service(services)
    wrong, unknown = await ask(at, made.id, "wrong"), await ask(at, "nobody", "wrong")
    assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, 'Basic realm="kangyun"')
    assert wrong.json() == unknown.json()
    assert wrong.json()["error"] == "invalid_client"
    assert (await ask(at, made.id)).status_code == 401


@pytest.mark.parametrize(("told", "error", "status"), [
    ({"grant_type": "password"}, "unsupported_grant_type", 400),
    ({"grant_type": ""}, "invalid_request", 400),
    ({"grant_type": "authorization_code", "code": "x"}, "unauthorized_client", 400),
    ({"scope": "patient/*.rs"}, "invalid_scope", 400),
    ({"scope": "system/Condition.rs"}, "invalid_scope", 400),
    ({"scope": "system/Patient.sr"}, "invalid_scope", 400),
])
async def test_what_a_service_may_not_ask(services: Services, at: Browser, told: dict[str, str], error: str, status: int) -> None:
    made = await service(services, "system/Patient.rs")
    answer = await ask(at, made.id, made.secret, **told)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"


async def test_two_proofs_or_a_field_twice_are_refused(services: Services, at: Browser) -> None:
    made = await service(services)
    assert made.secret
    form = {"grant_type": "client_credentials", "client_id": made.id, "client_secret": made.secret}
    assert (await machine(at, "/oauth/token", form, **basic(made.id, made.secret))).json()["error"] == "invalid_request"
    other = {"grant_type": "client_credentials", "client_id": "another"}
    assert (await machine(at, "/oauth/token", other, **basic(made.id, made.secret))).json()["error"] == "invalid_request"
    twice = await at.client.post("/oauth/token", content=f"grant_type=client_credentials&grant_type=x&client_id={made.id}",
                                 headers={"content-type": "application/x-www-form-urlencoded"})
    assert twice.json()["error"] == "invalid_request"
    assert (await at.client.post("/oauth/token", json=form)).json()["error"] == "invalid_request"
    assert (await at.client.post("/oauth/token", headers=basic("a", "b") | {"authorization": "Basic !!"}, data=form)).status_code == 401


@pytest.mark.parametrize("algorithm", ["RS384", "ES384", "ES256"])
async def test_a_service_proves_itself_by_its_key(services: Services, at: Browser, algorithm: str) -> None:
    made = await service(services, "system/Patient.rs", jwks=JWKS)
    assert made.secret is None
    answer = await show(at, made.id, assertion(made.id, algorithm), scope="system/Patient.rs")
    assert answer.status_code == 200, answer.text
    assert await fhir(at, answer.json()["access_token"]) == 200


@pytest.mark.parametrize("more", [
    {"aud": "https://elsewhere.example/token"}, {"aud": None}, {"exp": 1}, {"exp": None}, {"exp": 99_999_999_999}, {"jti": None}, {"jti": ""},
    {"iss": "somebody"}, {"exp": "soon"}, {"nbf": 99_999_999_999}, {"exp": True},
])
async def test_an_assertion_that_says_something_else_is_refused(services: Services, at: Browser, more: dict[str, Any]) -> None:
    made = await service(services, jwks=JWKS)
    answer = await show(at, made.id, assertion(made.id, **more))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_assertion_longer_than_five_minutes_is_refused(services: Services, at: Browser) -> None:
    made = await service(services, jwks=JWKS)
    long = int(clock.now().timestamp()) + 900
    assert (await show(at, made.id, assertion(made.id, exp=long))).status_code == 401


async def test_an_assertion_is_good_once_whoever_takes_it(services: Services, at: Browser) -> None:
    made = await service(services, jwks=JWKS)
    token = assertion(made.id)
    answers = await asyncio.gather(*(show(at, made.id, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_an_assertion_of_another_key_or_without_signature_is_refused(services: Services, at: Browser) -> None:
    made = await service(services, jwks=json.dumps({"keys": [ES384.as_dict(private=False)]}))
    other = await service(services, jwks=JWKS)
    stranger = jwt.encode({"alg": "ES384", "kid": "ec"}, {"iss": made.id, "sub": made.id, "aud": TOKEN, "exp": 9e9, "jti": "1"},
                          ECKey.generate_key("P-384"), algorithms=["ES384"])
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    unsigned = f"{head}.{assertion(made.id).split('.')[1]}."
    for token in (stranger, unsigned, assertion(made.id, "RS384"), "a.b.c", "a", assertion(other.id)[:-8] + "AAAAAAAA"):
        assert (await show(at, made.id, token)).status_code == 401, token
    assert (await show(at, made.id, assertion(other.id), client_id=made.id)).status_code == 401


async def test_keys_are_fetched_where_the_client_says_but_not_from_our_own_network(services: Services, at: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Problem):
        await service(services, jwks_uri="http://127.0.0.1:9/keys")
    with pytest.raises(Problem):
        await service(services, jwks_uri="https://10.0.0.8/keys")
    made = await service(services, "system/Patient.rs", jwks=JWKS)
    async with services.database.connection() as connection:
        await connection.execute("UPDATE oauth_client SET jwks = NULL, jwks_uri = 'https://127.0.0.1:9/keys' WHERE id = $1", made.id)
    assert (await show(at, made.id, assertion(made.id))).status_code == 401

    async def fetched(url: str, **_: Any) -> Any:
        from kangyun.base.outside import Fetched

        calls.append(url)
        return Fetched(200, "application/json", JWKS.encode())

    calls: list[str] = []
    monkeypatch.setattr(proving, "fetch", fetched)
    monkeypatch.setattr(proving, "_fetched", {})
    assert (await show(at, made.id, assertion(made.id))).status_code == 200
    assert (await show(at, made.id, assertion(made.id, "RS384"))).status_code == 200
    assert calls == ["https://127.0.0.1:9/keys"]


@pytest.mark.parametrize("jwks", [
    "{}", "[]", "nothing", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA"}]}', '{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}',
    json.dumps({"keys": [ES384.as_dict(private=True)]}),
])
async def test_a_key_set_must_be_of_public_keys(services: Services, jwks: str) -> None:
    with pytest.raises(Problem) as refused:
        await service(services, jwks=jwks)
    assert refused.value.status == 422


@pytest.mark.parametrize("more", [
    {"scopes": "everything"}, {"scopes": ""}, {"scopes": "patient/*.rs"}, {"role": "operator"}, {"role": "security_admin"}, {"role": "resident"},
    {"role": "nobody"}, {"kind": "robot"}, {"kind": "public"}, {"kind": "confidential", "redirects": ("http://evil.example/",)},
    {"kind": "public", "redirects": ("javascript:alert(1)",)}, {"kind": "public", "redirects": ("https://a.example/#x",)},
    {"kind": "public", "redirects": ("https://*.example/",)}, {"kind": "public", "redirects": ("https://a;script-src *.example/",)},
])
async def test_what_cannot_be_a_client(services: Services, more: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refused:
        await service(services, **({"scopes": "system/*.rs"} | more))
    assert refused.value.status == 422


async def test_a_new_secret_ends_the_old_one_and_its_tokens(services: Services, at: Browser) -> None:
    made = await service(services)
    token = (await ask(at, made.id, made.secret)).json()["access_token"]
    newer = await clients.rotate(services, OPERATOR, made.id)
    assert await fhir(at, token) == 401
    assert (await ask(at, made.id, made.secret)).status_code == 401
    assert (await ask(at, made.id, newer)).status_code == 200
    await clients.revoke(services, OPERATOR, made.id)
    assert (await ask(at, made.id, newer)).status_code == 401


async def test_a_service_exchanges_its_callers_token_for_a_narrower_one(services: Services, at: Browser) -> None:
    actor, patient = await resident_in(services, at, "贺一", "990101196005010041")
    await observation(services, patient)
    asking = Asking(at, (await app(services)).id)
    tokens = await asking.tokens("launch/patient patient/*.rs offline_access", patient)
    made = await service(services, "patient/Observation.rs", exchanges=True)
    assert made.secret
    told = {"grant_type": EXCHANGE, "subject_token": tokens["access_token"], "subject_token_type": ACCESS_TOKEN}
    answer = await machine(at, "/oauth/token", told, **basic(made.id, made.secret))
    assert answer.status_code == 200, answer.text
    narrow = answer.json()
    assert (narrow["scope"], narrow["issued_token_type"]) == ("patient/Observation.rs", ACCESS_TOKEN)
    assert narrow["expires_in"] <= 900
    assert (await asking.fhir(narrow["access_token"], "Observation")).json()["total"] == 1
    assert await fhir(at, narrow["access_token"], "Condition") == 403
    wider = await machine(at, "/oauth/token", told | {"scope": "patient/*.cruds"}, **basic(made.id, made.secret))
    assert wider.json()["scope"] == "patient/Observation.rs"
    about = (await machine(at, "/oauth/introspect", {"token": narrow["access_token"]}, **basic(made.id, made.secret))).json()
    assert (about["active"], about["sub"], about["patient"], about["client_id"]) == (True, actor.account, patient, made.id)
    await services.entries.revoke(account=actor.account)
    assert await fhir(at, narrow["access_token"], "Observation") == 401


async def test_what_was_exchanged_for_a_services_token_ends_with_it(services: Services, at: Browser) -> None:
    one = await service(services, "system/*.rs")
    made = await service(services, "system/Patient.rs", exchanges=True)
    assert made.secret
    token = (await ask(at, one.id, one.secret)).json()["access_token"]
    told = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    narrow = (await machine(at, "/oauth/token", told, **basic(made.id, made.secret))).json()["access_token"]
    assert await fhir(at, narrow) == 200
    assert one.secret
    await machine(at, "/oauth/revoke", {"token": token}, **basic(one.id, one.secret))
    assert (await fhir(at, token), await fhir(at, narrow)) == (401, 401)


async def test_who_may_not_exchange(services: Services, at: Browser) -> None:
    plain = await service(services)
    token = (await ask(at, plain.id, plain.secret)).json()["access_token"]
    told = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    assert plain.secret
    assert (await machine(at, "/oauth/token", told, **basic(plain.id, plain.secret))).json()["error"] == "unauthorized_client"
    made = await service(services, exchanges=True)
    assert made.secret
    for more, error in (({"subject_token": "x"}, "invalid_grant"), ({"subject_token_type": "urn:x"}, "invalid_request")):
        assert (await machine(at, "/oauth/token", told | more, **basic(made.id, made.secret))).json()["error"] == error


async def test_introspection_tells_others_nothing(services: Services, at: Browser) -> None:
    one, other = await service(services), await service(services)
    assert one.secret
    assert other.secret
    token = (await ask(at, one.id, one.secret)).json()["access_token"]
    own = (await machine(at, "/oauth/introspect", {"token": token}, **basic(one.id, one.secret))).json()
    assert (own["active"], own["scope"], own["client_id"]) == (True, "system/*.cruds", one.id)
    assert (await machine(at, "/oauth/introspect", {"token": token}, **basic(other.id, other.secret))).json() == {"active": False}
    assert (await machine(at, "/oauth/introspect", {"token": token})).status_code == 401
    public = await app(services)
    assert (await machine(at, "/oauth/introspect", {"token": token, "client_id": public.id})).json()["error"] == "unauthorized_client"


async def test_a_service_acts_in_its_role_whatever_its_scopes_say(services: Services, at: Browser) -> None:
    made = await service(services, "system/*.cruds", role="terminal") if "terminal" in _service_roles() else None
    if made is None:
        pytest.skip("no narrow role for machines")
    token = (await ask(at, made.id, made.secret)).json()["access_token"]
    assert await fhir(at, token, "Claim") in {401, 403}


def _service_roles() -> set[str]:
    from kangyun.commons.access.decisions.clients import service_roles

    return set(service_roles())


async def test_apps_find_everything_by_themselves(services: Services, at: Browser) -> None:
    smart = (await at.get("/fhir/.well-known/smart-configuration")).json()
    openid = (await at.get("/.well-known/openid-configuration")).json()
    server = (await at.get("/.well-known/oauth-authorization-server")).json()
    assert smart["issuer"] == openid["issuer"] == server["issuer"] == "http://kangyun.test"
    assert smart["token_endpoint"] == TOKEN
    assert smart["code_challenge_methods_supported"] == ["S256"]
    assert {"launch-ehr", "launch-standalone", "client-confidential-asymmetric", "permission-v2", "sso-openid-connect"} <= set(smart["capabilities"])
    assert (await at.get(openid["jwks_uri"])).json()["keys"][0]["kty"] == "EC"
    statement = (await at.client.get("/fhir/metadata", headers={"accept": "application/fhir+json"})).json()
    security = statement["rest"][0]["security"]
    uris = {one["url"]: one["valueUri"] for one in security["extension"][0]["extension"]}
    assert uris == {"authorize": "http://kangyun.test/oauth/authorize", "token": TOKEN,
                    "introspect": "http://kangyun.test/oauth/introspect", "revoke": "http://kangyun.test/oauth/revoke"}


async def test_a_public_address_is_told_instead_of_what_the_caller_says(services: Services) -> None:
    public = replace(services, settings=replace(services.settings, public_url="https://health.yunzhou.example/"))
    async with browser(public) as at:
        smart = (await at.client.get("/fhir/.well-known/smart-configuration", headers={"host": "evil.example"})).json()
    assert smart["token_endpoint"] == "https://health.yunzhou.example/oauth/token"


async def test_only_pages_of_registered_apps_may_read_what_a_token_opens(services: Services, at: Browser) -> None:
    await app(services, redirects=("https://diary.example/back",))
    made = await service(services)
    token = (await ask(at, made.id, made.secret)).json()["access_token"]
    bearer = {"authorization": f"Bearer {token}", "accept": "application/fhir+json"}

    async def told(origin: str, path: str, **headers: str) -> str | None:
        answer = await at.client.get(path, headers={"origin": origin, "accept": "application/fhir+json", **headers})
        assert "access-control-allow-credentials" not in answer.headers
        return answer.headers.get("access-control-allow-origin")

    assert await told("https://diary.example", "/fhir/Patient", **bearer) == "https://diary.example"
    assert await told("https://diary.example", "/fhir/Patient") is None
    assert await told("https://evil.example", "/fhir/Patient", **bearer) is None
    assert await told("null", "/fhir/Patient", **bearer) is None
    assert await told("https://evil.example", "/fhir/metadata") == "*"
    assert await told("https://diary.example", "/login") is None
    asked = {"origin": "https://diary.example", "access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    before = await at.client.options("/fhir/Patient", headers=asked)
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (204, "https://diary.example")
    assert (await at.client.options("/account", headers=asked)).status_code in {401, 405}
