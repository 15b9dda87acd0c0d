"""Paying as a resident does: the figure is looked at and confirmed in the app, and paid on the page of a bank or a wallet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from yunzhou.actors import Actor, RefusalError, parameter
from yunzhou.line import Answer, Line, LineLostError

_ELSEWHERE = {301, 302, 303, 307}


@dataclass(frozen=True, slots=True)
class Figure:
    """What a consultation or a prescription comes to, in fen; `state` and `invoice` once it was confirmed."""

    total: int
    fund: int
    account: int
    cash: int
    seal: str
    state: str = ""
    invoice: str = ""


def figure(told: dict[str, Any]) -> Figure:
    """The figure of an answer."""
    fen = {name: _fen(parameter(told, name)) for name in ("total", "fund", "serious", "supplement", "aid", "account", "cash")}
    insured = fen["fund"] + fen["serious"] + fen["supplement"] + fen["aid"]
    return Figure(
        fen["total"], insured, fen["account"], fen["cash"], str(parameter(told, "seal")), str(parameter(told, "state") or ""),
        str(parameter(told, "invoice") or ""))


def _fen(money: dict[str, Any]) -> int:
    return int(Decimal(str(money["value"])) * 100)


async def fee(patient: Actor, visit: str) -> Figure:
    """What a consultation costs."""
    return figure(await patient.do(f"Encounter/{visit}/$fee"))


async def estimate(patient: Actor, number: str) -> Figure:
    """What a prescription comes to."""
    return figure(await patient.do("MedicationRequest/$estimate", number=number))


async def confirm_fee(patient: Actor, visit: str, shown: Figure) -> str:
    """Confirm the fee that was shown; gives the id of the Invoice."""
    return str((await patient.do(f"Encounter/{visit}/$checkout", seal=shown.seal))["id"])


async def confirm(patient: Actor, number: str, shown: Figure) -> str:
    """Confirm the figure that was shown; gives the id of the Invoice."""
    return str((await patient.do("MedicationRequest/$checkout", number=number, seal=shown.seal))["id"])


async def pay(patient: Actor, bank: Line, invoice: str, channel: str = "wechat") -> None:
    """Pay an Invoice on the page of a channel; one that is paid already, or over nothing, needs no page."""
    body = {"resourceType": "Parameters", "parameter": [{"name": "channel", "valueCode": channel}, {"name": "scene", "valueCode": "phone"}]}
    link = str(parameter(await patient.do(f"Invoice/{invoice}/$pay", body), "link") or "")
    if link:
        await press(bank, link)


async def press(bank: Line, link: str) -> None:
    """Open the link of a payment as a browser does, and press the button. Raises RefusalError when nobody can pay there any more."""
    page = _path(link)
    while (answer := await _heard(bank, "GET", page)).status in _ELSEWHERE:
        page = _path(answer.headers["location"])
    answer = await _heard(bank, "POST", page)
    if answer.status >= 400:
        raise RefusalError(answer.status, "bank", answer.text[:100])


def _path(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def _heard(bank: Line, method: str, page: str) -> Answer:
    """Ask the bank until it answers: to press the button twice pays once."""
    while True:
        try:
            return await bank.ask(method, page, kind="application/x-www-form-urlencoded")
        except LineLostError:
            await asyncio.sleep(0.1)
