"""Staff log in at their hospital's own directory, over real connections; what it says falsely opens nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.commons.access.actions import accounts, outside
from kangyun.commons.access.actions.accounts import Post
from kangyun.commons.access.actions.outside import Provider
from kangyun.commons.access.decisions.policy import role_start
from kangyun.commons.access.gateways.directory_simulator import Directory, _key, listening  # pyright: ignore[reportPrivateUsage]
from kangyun.commons.access.tests.doors import OPERATOR, Browser, app_code, browser, staff

SECRET = "s3cret / with:signs"


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    made = Directory(secret=SECRET)
    with listening(made):
        yield made


@pytest.fixture(autouse=True)
def honest(directory: Directory) -> Iterator[None]:
    yield
    directory.person, directory.falsely, directory.shown = None, {}, None


@pytest.fixture(scope="module")
async def platform(services: Services, directory: Directory) -> Services:
    allowed = replace(services, settings=replace(services.settings, outside_allow=directory.issuer))
    await outside.add_provider(allowed, Provider(
        "people", "h-1", "人民医院", directory.issuer, directory.client, None, "preferred_username", second=False), SECRET)
    await outside.add_provider(allowed, Provider(
        "strict", "h-1", "人民医院（双因素）", directory.issuer, directory.client, None, "preferred_username", second=True), SECRET)
    return allowed


async def come(at: Browser, provider: str = "people", target: str = "/") -> httpx.Response:
    """Go to the directory and come back, as a browser does."""
    left = await at.client.get(f"/login/outside/{provider}", params={"next": target})
    assert left.status_code == 303, left.text
    async with httpx.AsyncClient() as client:
        sent = await client.get(left.headers["location"])
    back = httpx.URL(sent.headers["location"])
    return await at.client.get(back.raw_path.decode())


async def test_a_member_comes_in_with_the_second_factor_of_here(platform: Services, directory: Directory) -> None:
    await staff(platform, "at_home", Post("nurse", "h-1"), Post("clerk", "h-2"))
    directory.person = {"sub": "4711", "preferred_username": "At_Home"}
    async with browser(platform) as at:
        page = await at.get("/login")
        assert "人民医院" in page.text
        step = await come(at, target="/clinician/")
        assert step.headers["location"] == "/login/second"
        done = await at.post("/login/second", "/login/second", code=app_code())
        # Only where the directory vouches: the other membership is not offered.
        assert done.headers["location"] == "/clinician/"
        actor = await platform.entries.actor(at.session or "")
        assert actor
        assert (actor.role, actor.institution) == ("nurse", "h-1")


async def test_a_directory_with_two_factors_of_its_own_is_enough(platform: Services, directory: Directory) -> None:
    await staff(platform, "strictly", Post("nurse", "h-1"))
    directory.person = {"sub": "4712", "preferred_username": "strictly"}
    async with browser(platform) as at:
        assert (await come(at, "strict")).headers["location"] == role_start("nurse")
        assert await platform.entries.actor(at.session or "")


async def test_it_gives_no_rights_to_whom_nobody_here_knows(platform: Services, directory: Directory) -> None:
    await staff(platform, "elsewhere", Post("nurse", "h-2"))
    async with browser(platform) as at:
        for name in ("nobody_here", "elsewhere"):
            directory.person = {"sub": name, "preferred_username": name}
            assert (await come(at)).status_code == 403
            assert at.session is None


async def test_a_name_given_to_somebody_else_there_opens_nothing(platform: Services, directory: Directory) -> None:
    await staff(platform, "renamed", Post("nurse", "h-1"))
    directory.person = {"sub": "first", "preferred_username": "renamed"}
    async with browser(platform) as at:
        assert (await come(at)).headers["location"] == "/login/second"
        directory.person = {"sub": "second", "preferred_username": "renamed"}
        assert (await come(at)).status_code == 403
        directory.person = {"sub": "first", "preferred_username": "other_name_now"}
        assert (await come(at)).headers["location"] == "/login/second"


async def test_a_locked_account_stays_out(platform: Services, directory: Directory) -> None:
    account = await staff(platform, "locked_there", Post("nurse", "h-1"))
    await accounts.lock(platform, OPERATOR, account)
    directory.person = {"sub": "4713", "preferred_username": "locked_there"}
    async with browser(platform) as at:
        assert (await come(at, "strict")).status_code == 403


@pytest.mark.parametrize("falsely", [
    {"nonce": "of-another-login"}, {"aud": "another-client"}, {"iss": "https://other.example"}, {"exp": 1}, {"iat": 4_000_000_000},
    {"aud": ["kangyun", "other"]}, {"sub": ""},
], ids=lambda one: next(iter(one)))
async def test_what_it_says_falsely_opens_nothing(platform: Services, directory: Directory, falsely: dict[str, object]) -> None:
    directory.person, directory.falsely = {"sub": "4714", "preferred_username": "at_home"}, falsely
    async with browser(platform) as at:
        assert (await come(at, "strict")).status_code == 401
        assert at.session is None


async def test_a_token_of_another_key_opens_nothing(platform: Services, directory: Directory) -> None:
    directory.person, directory.shown = {"sub": "4711", "preferred_username": "at_home"}, _key()
    async with browser(platform) as at:
        assert (await come(at, "strict")).status_code == 401


async def test_an_answer_that_this_browser_did_not_ask_for_opens_nothing(platform: Services, directory: Directory) -> None:
    directory.person = {"sub": "4711", "preferred_username": "at_home"}
    async with browser(platform) as mine, browser(platform) as theirs:
        left = await mine.client.get("/login/outside/strict")
        async with httpx.AsyncClient() as client:
            sent = await client.get(left.headers["location"])
        back = httpx.URL(sent.headers["location"]).raw_path.decode()
        await theirs.client.get("/login/outside/strict")
        assert (await theirs.client.get(back)).status_code == 410
        assert (await mine.client.get(back)).status_code == 303
        assert (await mine.client.get(back)).status_code == 410


async def test_a_refusal_there_and_a_directory_that_is_away_are_told(platform: Services, directory: Directory) -> None:
    async with browser(platform) as at:
        assert (await come(at)).status_code == 401
        await outside.add_provider(platform, Provider("gone", "h-1", "远方", "http://127.0.0.1:9", "kangyun", None, "sub", second=False), "")
        assert (await at.get("/login/outside/gone")).status_code == 503
        assert await outside.remove_provider(platform, "gone")
        assert (await at.get("/login/outside/gone")).status_code == 404
