"""Whoever is logged in proves again to be there, for one thing, in one session; and nobody else does it instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.errors import Problem
from kangyun.commons.access import Actor, Post, Proof, Site, offer_presence, presence_of, prove_presence
from kangyun.commons.access.actions import presence
from kangyun.commons.access.tests import doors

_SITE = Site("https://cloud.example", "cloud.example", "Kangyun")


async def somebody(services: Services, login: str) -> Actor:
    """A doctor who is logged in."""
    account = await doors.staff(services, login, Post("hospital_doctor", "h1"))
    return Actor(f"user/{account.id}", "hospital_doctor", "h1", account=account.id, session=f"session-{login}")


async def refused(services: Services, actor: Actor, proof: Proof, status: int) -> None:
    with pytest.raises(Problem) as refusal:
        await prove_presence(services, actor, "Encounter/1", proof, _SITE)
    assert refusal.value.status == status


async def test_a_proof_holds_for_one_thing_in_one_session(services: Services) -> None:
    actor = await somebody(services, "present")
    assert await presence_of(services, actor, "Encounter/1") is None
    await refused(services, actor, Proof("password", "wrong"), 401)
    await prove_presence(services, actor, "Encounter/1", Proof("password", doors.PASSWORD))
    found = await presence_of(services, actor, "Encounter/1")
    assert found
    assert found.means == "password"
    assert await presence_of(services, actor, "Encounter/2") is None
    assert await presence_of(services, replace(actor, session="another"), "Encounter/1") is None
    later = clock.now() + timedelta(hours=12)
    clock.set_source(lambda: later)
    assert await presence_of(services, actor, "Encounter/1") is None
    await presence.trim(services, {})


async def test_a_code_is_good_once_and_programs_hand_on_codes_only(services: Services) -> None:
    actor = await somebody(services, "coder")
    program = replace(actor, scopes="user/*.cruds", session="token")
    await refused(services, program, Proof("password", doors.PASSWORD), 422)
    code = doors.app_code()
    await prove_presence(services, program, "Encounter/1", Proof("totp", code))
    await refused(services, actor, Proof("totp", code), 401)
    await refused(services, actor, Proof("face", "x"), 422)


async def test_failures_lock_as_those_of_a_login_do(services: Services) -> None:
    actor = await somebody(services, "guesser")
    for _ in range(5):
        await refused(services, actor, Proof("password", "wrong"), 401)
    await refused(services, actor, Proof("password", doors.PASSWORD), 429)


async def test_a_challenge_is_answered_by_ones_own_passkey_only(services: Services) -> None:
    actor, other = await somebody(services, "holder"), await somebody(services, "thief")
    step, options = await offer_presence(services, actor, _SITE)
    assert '"userVerification": "required"' in options
    await refused(services, other, Proof("passkey", "{}", step), 401)
    await refused(services, actor, Proof("passkey", '{"id": "x"}', "no-such-step"), 401)
    await refused(services, Actor("local", "operator"), Proof("password", doors.PASSWORD), 401)
