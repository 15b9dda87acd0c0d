"""An insurer that is not there: the interface over a real connection, for tests and demonstrations.

It checks signatures, keeps books of its own, settles by its own accumulators, takes each message once, and can be told to fail:

    late     does it, and answers when nobody waits any more         twice    answers, and tells it twice by a notice
    lost     does it, and breaks the connection                      wrong    settles a yuan less than the policy says
    never    does nothing and breaks the connection                  refuse   says no
    forged   answers with a signature that is none
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from kangyun.base import clock
from kangyun.base.keys import PublicKey, sm3, verify
from kangyun.base.keys import sm2 as curve
from kangyun.base.money import Fen, plain, shown
from kangyun.support.insurance.decisions.messages import (
    amounts,
    interface,
    lines_of,
    so_far_told,
    transaction,
)
from kangyun.support.insurance.decisions.policies import home_area, policy, year_of
from kangyun.support.insurance.decisions.settlement import settle
from kangyun.support.insurance.gateways.insurer import fresh, signed_part
from kangyun.support.insurance.model import SCENES, Bill, Insured, Settlement, SoFar

FAULTS = ("late", "twice", "lost", "wrong", "never", "refuse", "forged")
_YUAN = 100


class _No(Exception):  # noqa: N818 - an answer
    """What the insurer refuses, with its code."""


@dataclass(slots=True)
class Entry:
    """One settlement in the insurer's books; state: settled or cancelled."""

    message: str
    member: str
    day: str
    figures: dict[str, Fen]
    change: SoFar
    number: str
    state: str = "settled"


@dataclass(slots=True)
class Simulator:
    """The insurer. people: by ID number; whoever is not named is made up from the number, unless `strangers` is false.

    faults: what goes wrong with the next settlements and cancellations, one each; `lateness` in seconds. notices: where it
    tells results besides.
    """

    ours: PublicKey
    people: dict[str, Insured] = field(default_factory=dict[str, Insured])
    books: dict[str, Entry] = field(default_factory=dict[str, Entry])
    used: dict[tuple[str, int], SoFar] = field(default_factory=dict[tuple[str, int], SoFar])
    members: dict[str, Insured] = field(default_factory=dict[str, Insured])
    undone: set[str] = field(default_factory=set[str])
    faults: list[str] = field(default_factory=list[str])
    seen: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    nonces: set[str] = field(default_factory=set[str])
    strangers: bool = True
    lateness: float = 1.0
    notices: str = ""
    secret: int = field(default_factory=curve.new_secret, repr=False)

    @property
    def key(self) -> PublicKey:
        """The insurer's public key, for the platform."""
        x, y = curve.public_point_of(self.secret)
        return PublicKey("insurer", "SM2", x.to_bytes(32), y.to_bytes(32))

    async def take(self, request: Request) -> Response:
        """Take one message."""
        body = await request.body()
        if not self._is_signed(request, body):
            return Response(status_code=401)
        told = orjson.loads(body)
        name = next((name for name, number in interface().map.items() if number == told["infno"]), "")
        message = str(told["msgid"])
        self.seen.append((name, message))
        fault = self.faults.pop(0) if self.faults and name in {"settle", "cancel", "undo", "presettle"} else ""
        if fault == "never":
            return Response(status_code=503)
        answer = self._answer(name, message, told, fault)
        if fault == "late":
            await asyncio.sleep(self.lateness)
        if fault == "twice":
            await self._tell_twice(message)
        if fault == "lost":
            return Response(status_code=502)
        return self._signed(answer, request.headers["x-tif-nonce"], forged=fault == "forged")

    def _is_signed(self, request: Request, body: bytes) -> bool:
        moment, nonce = request.headers.get("x-tif-timestamp", ""), request.headers.get("x-tif-nonce", "")
        if not fresh(moment) or not nonce or nonce in self.nonces:
            return False
        self.nonces.add(nonce)
        return verify(self.ours, signed_part(moment, nonce, body), bytes.fromhex(request.headers.get("x-tif-signature", "")))

    def _answer(self, name: str, message: str, told: Mapping[str, Any], fault: str) -> dict[str, Any]:
        does: dict[str, Callable[[], dict[str, Any]]] = {
            "person": lambda: self._person(told["input"]), "presettle": lambda: self._presettle(told["input"], fault),
            "settle": lambda: self._settle(message, told["input"], fault), "cancel": lambda: self._cancel(str(told["input"]["setl_msgid"])),
            "undo": lambda: self._undo(str(told["input"]["omsgid"])), "query": lambda: self.told_of(str(told["input"]["setl_msgid"])),
            "totals": lambda: self._totals(str(told["input"]["stmt_begndate"])), "details": lambda: self._details(str(told["input"]["stmt_begndate"]))}
        try:
            if fault == "refuse":
                raise _No("refused")  # noqa: TRY301 - what a fault asks for
            output = does[name]()
        except _No as no:
            return {"infcode": -1, "inf_refmsgid": message, "err_msg": str(no), "output": {}}
        except (KeyError, ValueError, TypeError):
            return {"infcode": -1, "inf_refmsgid": message, "err_msg": "input", "output": {}}
        return {"infcode": 0, "inf_refmsgid": message, "err_msg": "", "output": output}

    def _signed(self, answer: Mapping[str, Any], nonce: str, *, forged: bool = False) -> Response:
        body = orjson.dumps(answer)
        return Response(body, headers=self.heads(body, nonce, forged=forged), media_type="application/json")

    def heads(self, body: bytes, nonce: str, *, forged: bool = False) -> dict[str, str]:
        """The signed head of an answer or a notice."""
        moment = str(int(clock.seconds()))
        secret = curve.new_secret() if forged else self.secret
        return {"x-tif-timestamp": moment, "x-tif-nonce": nonce, "x-tif-signature": curve.sign(secret, signed_part(moment, nonce, body)).hex()}

    def _person(self, told: Mapping[str, Any]) -> dict[str, Any]:
        number = str(told["certno"])
        insured = self.people.get(number) or (made_up(number) if self.strangers else None)
        if insured is None:
            raise _No("not-insured")
        self.members[insured.member] = insured
        body, year = interface().body, clock.now().year
        codes = {name: next(code for code, word in body[name].items() if word == value)
                 for name, value in (("insutype", insured.kind), ("psn_type", insured.person))}
        so_far = self._used(insured.member, year)
        info: dict[str, Any] = codes | {
            "psn_no": insured.member, "insuplc_admdvs": insured.area, "balc": plain(so_far.account), "maf_type": insured.aid,
            "cvlserv_flag": insured.supplement, "opsp_dise": list(insured.chronic), "out_filing": insured.filing, "psn_insu_stas": "1" if insured.valid else "2"}
        return {"insuinfo": info, "cuminfo": {str(year): so_far_told(so_far)}}

    def _used(self, member: str, year: int) -> SoFar:
        if (member, year) not in self.used:
            account = 120_000 if self.members[member].kind == "employee" else 0
            self.used[member, year] = SoFar(account=account)
        return self.used[member, year]

    def _worked(self, told: Mapping[str, Any], fault: str) -> tuple[Insured, date, Settlement]:
        data = told["data"]
        insured = self.members.get(str(data["psn_no"]))
        if insured is None or not insured.valid:
            raise _No("not-insured")
        on = date.fromisoformat(data["setl_date"])
        bill = Bill("", "", on, lines_of(told["feedetail"]), SCENES[int(data["med_type"]) - 11], int(data["hosp_lv"]), str(data["mdtrtarea_admvs"]),
                    str(data["out_filing"]))
        done = settle(bill, insured, self._used(insured.member, year_of(on)), policy(insured.area, on))
        if fault == "wrong" and done.fund >= _YUAN:
            done = done._replace(fund=done.fund - _YUAN, self_all=done.self_all + _YUAN, cash=done.cash + _YUAN)
        return insured, on, done

    def _presettle(self, told: Mapping[str, Any], fault: str) -> dict[str, Any]:
        return {"setlinfo": amounts(self._worked(told, fault)[2].figures)}

    def _settle(self, message: str, told: Mapping[str, Any], fault: str) -> dict[str, Any]:
        if message in self.undone:
            raise _No("undone")
        if message not in self.books:
            insured, on, done = self._worked(told, fault)
            self.used[insured.member, year_of(on)] = self._used(insured.member, year_of(on)).plus(done.change)
            self.books[message] = Entry(message, insured.member, on.isoformat(), done.figures, done.change, f"S{sm3(message.encode()).hex()[:20]}")
        return self.told_of(message)

    def told_of(self, message: str) -> dict[str, Any]:
        """What the books say of a message."""
        entry = self.books.get(message)
        if entry is None:
            raise _No("unknown")
        return {"setlinfo": {"setl_id": entry.number, "setl_stas": entry.state, "setl_msgid": message, "psn_no": entry.member, **amounts(entry.figures)}}

    def _cancel(self, message: str) -> dict[str, Any]:
        entry = self.books.get(message)
        if entry is None:
            raise _No("unknown")
        if entry.state == "settled":
            key = (entry.member, date.fromisoformat(entry.day).year)
            entry.state, self.used[key] = "cancelled", self.used[key].minus(entry.change)
        return self.told_of(message)

    def _undo(self, message: str) -> dict[str, Any]:
        """As if the message had never come, also when it comes only later."""
        self.undone.add(message)
        return self._cancel(message) if message in self.books else {}

    def _of_day(self, day: str) -> list[Entry]:
        return [one for one in self.books.values() if one.day == day]

    def _totals(self, day: str) -> dict[str, Any]:
        valid = [one for one in self._of_day(day) if one.state == "settled"]
        names = {name for one in valid for name in one.figures}
        return {"count": len(valid), "sums": amounts({name: sum(one.figures[name] for one in valid) for name in names})}

    def _details(self, day: str) -> dict[str, Any]:
        return {"details": [self.told_of(one.message)["setlinfo"] for one in self._of_day(day)]}

    async def _tell_twice(self, message: str) -> None:
        if not self.notices or message not in self.books:
            return
        body = orjson.dumps({"infno": transaction("told"), "msgid": secrets.token_hex(12), "input": self.told_of(message)})
        async with httpx.AsyncClient() as client:
            for _ in range(2):
                await client.post(self.notices, content=body, headers=self.heads(body, secrets.token_hex(12)))

    async def look(self, _request: Request) -> Response:
        """The books, newest first, for people."""
        rows = "".join(
            f"<tr><td>{one.day}<td>{one.number}<td>{one.state}<td>{shown(one.figures['total'])}<td>{shown(one.figures['fund'])}"
            for one in reversed([*self.books.values()][-200:]))
        style = "<style>body{font:16px/1.6 sans-serif;margin:2rem}td{padding:.2rem 1rem .2rem 0}</style>"
        head = '<!doctype html><html lang="zh-Hans"><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>医保模拟器</title>'
        return HTMLResponse(f"{head}{style}<h1>医保核心系统（模拟）</h1><table>{rows}</table>")

    @property
    def app(self) -> Starlette:
        """The insurer as a web application."""
        return Starlette(routes=[Route("/", self.take, methods=["POST"]), Route("/", self.look)])


def made_up(number: str) -> Insured:
    """Somebody of the made-up city, told by the ID number: the old are retired or residents, and have hypertension."""
    digest = sm3(number.encode())
    age = clock.now().year - int(number[6:10]) if number[6:10].isdecimal() else 40
    employee = digest[0] % 2 == 0 and age >= 22
    person = ("retired" if age >= 60 else "active") if employee else ("child" if age < 18 else "adult")
    insured = Insured(f"P{digest.hex()[:16]}", "", home_area(), "employee" if employee else "resident", person)
    return replace(insured, aid="low_income" if digest[1] % 20 == 0 else "none", chronic=("I10", "E11") if age >= 60 else ())


def keep(simulator: Simulator, path: Path) -> None:
    """Write its books to a file: an insurer forgets nobody only because a demonstration is started again."""
    told = {
        "members": [asdict(one) for one in simulator.members.values()], "undone": sorted(simulator.undone),
        "used": [[member, year, list(so_far)] for (member, year), so_far in simulator.used.items()],
        "books": [{**asdict(one), "change": list(one.change)} for one in simulator.books.values()],
    }
    path.write_bytes(orjson.dumps(told))


def bring(simulator: Simulator, path: Path) -> None:
    """Take over the books of an earlier demonstration, where there are any."""
    if not path.exists():
        return
    told: dict[str, Any] = orjson.loads(path.read_bytes())
    for one in told["members"]:
        one["chronic"] = tuple(one["chronic"])
        simulator.members[one["member"]] = Insured(**one)
    for one in told["books"]:
        one["change"] = SoFar._make(one["change"])
        simulator.books[one["message"]] = Entry(**one)
    simulator.used |= {(member, year): SoFar._make(so_far) for member, year, so_far in told["used"]}
    simulator.undone |= set(told["undone"])
