"""The second factor: codes of an authenticator app (RFC 6238) and the recovery codes for the day when it is lost."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode

from pyotp.totp import TOTP

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions.accounts import recovery_codes
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import sql

_PURPOSE = "login-totp"
_SECONDS = 30
# A phone's clock may be half a minute wrong (RFC 6238, 5.2).
_STEPS = (0, -1, 1)
# Without signs that are mistaken for each other.
_SIGNS = "23456789abcdefghjkmnpqrstuvwxyz"


def fresh_secret(parts: Parts, of: str) -> str:
    """The secret of an app that is being set up, 160 bits in base32.

    It is the same as long as the session or the step of the login, `of`, lasts, and kept nowhere until it is proved.
    """
    return b32encode(parts.keys.mac("login-enrol", of.encode())[:20]).decode()


def address_of(secret: str, login: str, issuer: str) -> str:
    """The otpauth address that the app reads from a QR code."""
    return TOTP(secret).provisioning_uri(name=login, issuer_name=issuer)


def step_of(secret: str, code: str) -> int | None:
    """The time step that a code is right for, or None."""
    told = "".join(code.split())
    now = int(clock.seconds()) // _SECONDS
    totp = TOTP(secret)
    fitting = [now + step for step in _STEPS if hmac.compare_digest(totp.generate_otp(now + step).encode(), told.encode())]
    return fitting[0] if fitting else None


async def enrol(parts: Parts, account: str, secret: str, code: str, title: str = "") -> None:
    """Keep an authenticator app whose first code is right. Raises Problem 422."""
    step = step_of(secret, code)
    if step is None:
        raise refuse(422, "value", "access.wrong-code")
    await put(parts, account, secret, step, title)


async def put(parts: Parts, account: str, secret: str, step: int = 0, title: str = "") -> None:
    """Keep the secret of an app; codes up to `step` are used up."""
    sealed = parts.keys.seal(_PURPOSE, secret.encode(), account.encode())
    async with parts.database.connection() as connection:
        await connection.execute(
            sql.put_credential, secrets.token_hex(12), account, "totp", None, sealed, step, title, clock.now())


async def code_fits(parts: Parts, account: str, code: str) -> bool:
    """Whether an app of the account shows this code now; a code is good once."""
    for one in await accounts.seconds(parts.database, account):
        if one.kind == "totp":
            step = step_of(parts.keys.open(_PURPOSE, one.content, account.encode()).decode(), code)
            if step is not None and await count_up(parts, one.id, step):
                return True
    return False


async def count_up(parts: Parts, credential: str, count: int) -> bool:
    """Note a use with its count; False when the count does not grow: somebody uses a copy."""
    async with parts.database.connection() as connection:
        return await connection.fetchval(sql.count_up, credential, count, clock.now()) is not None


async def new_recovery_codes(parts: Parts, account: str) -> list[str]:
    """Make new recovery codes, which end the old ones; they are shown once and kept as keyed hashes."""
    codes = ["-".join(_word() for _ in range(3)) for _ in range(recovery_codes())]
    async with parts.database.transaction() as connection:
        await connection.execute(sql.remove_kind, account, "recovery")
        for code in codes:
            hashed = _recovery(parts, account, code)
            await connection.execute(
                sql.put_credential, secrets.token_hex(12), account, "recovery", hashed, b"", 0, "", clock.now())
    return codes


def _word() -> str:
    return "".join(secrets.choice(_SIGNS) for _ in range(4))


def _recovery(parts: Parts, account: str, code: str) -> bytes:
    plain = "".join(sign for sign in code.lower() if sign in _SIGNS)
    return parts.keys.mac("login-recovery", f"{account}/{plain}".encode())


async def use_recovery_code(parts: Parts, account: str, code: str) -> bool:
    """Whether it is a recovery code of the account; it is good once."""
    async with parts.database.connection() as connection:
        found = await connection.fetchval(sql.use_recovery, account, _recovery(parts, account, code), clock.now())
    return found is not None
