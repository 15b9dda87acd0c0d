"""The insurer: JSON over HTTP in the shape of the national interface, signed both ways with SM2 over SM3.

    POST {url}               {infno, msgid, insuplc_admdvs, fixmedins_code, inf_time, signtype: "SM3", input: {...}, ...}
    x-tif-timestamp          seconds since 1970; what is older than five minutes is refused
    x-tif-nonce              once; the answer repeats it, so that an old answer cannot be shown again
    x-tif-signature          SM2 signature (GB/T 32918.2) over "<timestamp>.<nonce>.<body>", hexadecimal
    200                      {infcode, inf_refmsgid, err_msg, output: {...}}, signed likewise with the insurer's key

`msgid` makes it exactly once: a message that was taken is answered again with its first answer, and can be asked for. Three
things can come of a message: an Answer, a Refusal, or Unanswered; the last says nothing about what happened there.
The names of the heads are written from memory.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import structlog

from kangyun.base import clock, partners
from kangyun.base.keys import KeyStore, PublicKey, verify
from kangyun.base.outside import Unfetchable
from kangyun.base.settings import Settings
from kangyun.support.insurance.decisions.messages import interface, transaction

log = structlog.get_logger()

KEY = "insurance-sm2"
OLDEST = 300


class Unanswered(Exception):  # noqa: N818 - it is an expected outcome
    """Nothing came that can be believed: it may have been done there or not, and is to be asked for."""


class Refusal(Exception):  # noqa: N818 - it is an expected outcome
    """The insurer says no; `code` is its own."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Insurer:
    """The way to the insurer at `url`; without an address nobody can be asked."""

    def __init__(self, url: str = "", keys: KeyStore | None = None, theirs: PublicKey | None = None, patience: float = 8.0) -> None:
        self.url = url
        self._keys = keys
        self._theirs = theirs
        self._patience = patience

    @property
    def ready(self) -> bool:
        """Whether an insurer is set."""
        return bool(self.url)

    async def ask(self, name: str, message: str, place: str, told: Mapping[str, Any], area: str = "") -> dict[str, Any]:
        """Do a transaction and give its output. Raises Unanswered (also where no insurer is set) or Refusal."""
        if not self.ready:
            raise Unanswered
        body = orjson.dumps(_envelope(name, message, place, told, area))
        nonce, moment = secrets.token_hex(12), str(int(clock.seconds()))
        try:
            reply = await partners.ask(
                "POST", self.url, content=body, headers=self._heads(moment, nonce, body), seconds=self._patience, proxies=True)
        except Unfetchable as error:
            log.warning("insurance.unanswered", type=name, error=error.reason)
            raise Unanswered from error
        return self._read(name, reply, nonce, message)

    def _heads(self, moment: str, nonce: str, body: bytes) -> dict[str, str]:
        assert self._keys is not None
        signature = self._keys.sign(KEY, signed_part(moment, nonce, body)).hex()
        return {"content-type": "application/json", "x-tif-timestamp": moment, "x-tif-nonce": nonce, "x-tif-signature": signature}

    def _read(self, name: str, reply: partners.Reply, nonce: str, message: str) -> dict[str, Any]:
        if reply.status != 200 or not self.is_theirs(reply.headers, reply.body, nonce):
            log.warning("insurance.unbelieved", type=name, status=reply.status)
            raise Unanswered
        try:
            told = orjson.loads(reply.body)
            code, refers = told["infcode"], told["inf_refmsgid"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unanswered from error
        if refers != message:
            raise Unanswered
        if code != interface().body["done"]:
            raise Refusal(str(told.get("err_msg", code))[:40])
        return dict(told.get("output") or {})

    def is_theirs(self, heads: Mapping[str, str], body: bytes, nonce: str = "") -> bool:
        """Whether something was signed by the insurer just now (and, with a nonce, as the answer to it)."""
        moment, given = heads.get("x-tif-timestamp", ""), heads.get("x-tif-nonce", "")
        if self._theirs is None or not fresh(moment) or (nonce and given != nonce):
            return False
        try:
            signature = bytes.fromhex(heads.get("x-tif-signature", ""))
        except ValueError:
            return False
        return verify(self._theirs, signed_part(moment, given, body), signature)


def _envelope(name: str, message: str, place: str, told: Mapping[str, Any], area: str) -> dict[str, Any]:
    return {
        "infno": transaction(name), "msgid": message, "insuplc_admdvs": area, "recer_sys_code": "kangyun", "signtype": "SM3",
        "infver": interface().body["version"], "opter_type": "2", "opter": "kangyun", "inf_time": clock.now().isoformat(timespec="seconds"),
        "fixmedins_code": place, "input": told}


def signed_part(moment: str, nonce: str, body: bytes) -> bytes:
    """What is signed of a message."""
    return f"{moment}.{nonce}.".encode() + body


def fresh(moment: str) -> bool:
    """Whether a time is no more than five minutes away."""
    return moment.isdecimal() and len(moment) < 12 and abs(clock.seconds() - int(moment)) < OLDEST


def written(key: PublicKey) -> bytes:
    """A public key as the file of the setting insurer_key_file holds it: a JSON Web Key."""
    return orjson.dumps(key.jwk)


def read_key(content: bytes) -> PublicKey:
    """The key of such a file. Raises ValueError."""
    try:
        told = orjson.loads(content)
        x, y = (base64.urlsafe_b64decode(told[name] + "=" * (-len(told[name]) % 4)) for name in ("x", "y"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("no JSON Web Key") from error
    return PublicKey(str(told.get("kid", "")), "SM2" if told.get("crv") == "SM2" else "ES256", x, y)


def open_insurer(settings: Settings, keys: KeyStore) -> Insurer:
    """The insurer of the settings. Raises RuntimeError when its key cannot be read."""
    if not settings.insurer_url:
        return Insurer()
    try:
        theirs = read_key(Path(settings.insurer_key_file).read_bytes())
    except (OSError, ValueError) as error:
        raise RuntimeError(f"the setting insurer_url needs the insurer's public key in insurer_key_file: {error}") from None
    return Insurer(settings.insurer_url, keys, theirs)
