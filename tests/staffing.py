"""People who work somewhere and can log in, for the tests of rooms, which have no way of their own to make them."""

from __future__ import annotations

from kangyun.app.services import Services
from kangyun.commons.access import Actor, Post
from kangyun.commons.access.actions import accounts

PASSWORD = "Yun-zhou2026"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


async def account(services: Services, login: str, post: Post) -> str:
    """The id of a new account of somebody who works at a post, with PASSWORD and the authenticator app of SECRET."""
    made = await accounts.establish(services, Actor("local", "operator"), login, post, password=PASSWORD, totp=SECRET)
    return made.id
