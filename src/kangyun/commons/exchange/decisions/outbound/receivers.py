"""Receivers: systems to which the record tells its changes, from rules/receivers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule

_PACKAGE = "kangyun.commons.exchange"
_CODECS = {"UNICODE UTF-8": "utf-8", "GB 18030-2000": "gb18030", "BIG-5": "big5hkscs"}


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver: its address, how it wants its messages, and which messages (names of rules/hl7v2_out) it has asked for.

    What carries an identifier of one of the systems in `own` came from the receiver itself and is not told back. After
    `tries` refusals a message is set aside, so that those behind it go on.
    """

    key: str
    host: str = ""
    port: int = 2575
    tls: bool = False
    application: str = ""
    facility: str = ""
    own_facility: str = "KANGYUN"
    version: str = "2.5.1"
    charset: str = "UNICODE UTF-8"
    own: tuple[str, ...] = ()
    tries: int = 5
    active: bool = False
    messages: tuple[str, ...] = ()

    @property
    def codec(self) -> str:
        """The codec of its character set."""
        return _CODECS.get(self.charset, "utf-8")


def receivers() -> dict[str, Receiver]:
    """The receivers that are active, by key."""
    found = (_receiver(rules.load(_PACKAGE, name).file, name) for name in rules.names(_PACKAGE) if name.startswith("receivers/"))
    return {one.key: one for one in found if one.active}


@lru_cache(maxsize=256)
def _receiver(_file: object, name: str) -> Receiver:
    return of_rule(rules.load(_PACKAGE, name))


def of_rule(rule: Rule) -> Receiver:
    """The receiver that a rule file describes."""
    value: dict[str, Any] = dict(rule.value)
    own, messages = (tuple(str(one) for one in value.pop(name, ())) for name in ("own", "messages"))
    return Receiver(key=rule.id.rsplit(".", 1)[1], own=own, messages=messages, **value)


def check_receiver(rule: Rule, given: str) -> bool:
    """Whether the receiver has asked for a message of this name."""
    return given in of_rule(rule).messages
