"""Bundles that were posted to the FHIR API appear among the messages, after they were answered.

The caller of a transaction holds its content until the answer, and the answer says what became of it; so nothing is
lost when the copy is kept afterwards, and no caller waits for it (docs/decisions). What comes faster than it can be
noted is counted and left out.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response

from kangyun.base.errors import Problem
from kangyun.base.fhir import json as fhir_json
from kangyun.commons.exchange.actions.intake import ORIGIN, Intake
from kangyun.commons.exchange.decisions.facts import facts_of
from kangyun.commons.exchange.decisions.registrations import sender_with
from kangyun.commons.exchange.model import NOTHING, Facts, Origin, Outcome, Reason

log = structlog.get_logger()

LEFT_OUT = Counter("kangyun_exchange_calls_left_out", "Bundles of the FHIR API that could not be noted among the messages.")

_MOST_WAITING = 256
_MOST_BYTES = 8 << 20
_PATIENT = re.compile(rb'"location":"[^"]*?/Patient/([A-Za-z0-9.-]{1,64})/_history')
_REFUSED = re.compile(rb'"response":\{"status":"[45]')
# Refused before it was read, or by a fault of ours: the caller knows, and there is nothing to mend in the message.
_NOT_ITS_FAULT = {401, 403, 406, 408, 413, 415, 429}


@dataclass(frozen=True, slots=True)
class _Call:
    sender: str
    origin: Origin
    body: bytes
    bundle: dict[str, Any] | None
    status: int
    answer: bytes


class Calls:
    """Notes answered bundles for one process, one after another, beside everything else."""

    def __init__(self, services: Any) -> None:
        self._intake = Intake(services.database, services.gate, services.keys)
        self._waiting: asyncio.Queue[_Call] = asyncio.Queue(_MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    def note(self, request: Request, response: Response) -> None:
        """Note a bundle that was just answered; returns at once."""
        body = request.scope.get("kangyun.body")
        if body is None or len(body) > _MOST_BYTES or response.status_code >= 500 or response.status_code in _NOT_ITS_FAULT:
            return
        bundle = request.scope.get("kangyun.bundle")
        origin = Origin("fhir", request.client.host if request.client else "")
        call = _Call(_sender(request), origin, body, bundle, response.status_code, bytes(response.body))
        try:
            self._waiting.put_nowait(call)
        except asyncio.QueueFull:
            LEFT_OUT.inc()
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def settled(self) -> None:
        """Return when everything is noted; for tests and the end of a process."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _work(self) -> None:
        while not self._waiting.empty():
            call = self._waiting.get_nowait()
            try:
                await self._keep(call)
            except Problem as problem:
                LEFT_OUT.inc()
                log.warning("exchange.call_not_noted", error=problem.issues[0].key)
            except Exception as error:
                LEFT_OUT.inc()
                log.exception("exchange.call_not_noted", error=type(error).__name__)

    async def _keep(self, call: _Call) -> None:
        ORIGIN.set(call.origin)
        kind = f"Bundle^{_kind(call.bundle)}"
        outcome = _outcome(call, kind)
        arrived = self._intake.arrived(call.body, call.sender, "", "fhir", kind)
        await self._intake.keep_aside(arrived, outcome, once=outcome.state == "quarantined")


def _kind(bundle: dict[str, Any] | None) -> str:
    kind = (bundle or {}).get("type")
    return kind if kind in {"transaction", "batch"} else "other"


def _outcome(call: _Call, kind: str) -> Outcome:
    if call.status >= 400:
        return Outcome("quarantined", "AE", _refusal(call), kind=kind)
    found = _PATIENT.search(call.answer)
    patient = found[1].decode() if found else None
    facts = _facts(call.bundle)
    refused = len(_REFUSED.findall(call.answer)) if kind == "Bundle^batch" else 0
    reason = Reason("exchange.partly", "", {"refused": str(refused), "all": str(facts.entries)}) if refused else None
    return Outcome("stored", "AA", reason, None, patient, kind, facts=facts)


def _refusal(call: _Call) -> Reason:
    """What the caller was told, in both languages, and the path of the element at fault."""
    try:
        issue: dict[str, Any] = fhir_json.loads(call.answer)["issue"][0]
        details = issue["details"]
        told = {"text": str(details["text"]), "text_en": str(details["text"])}
        for one in details["_text"]["extension"][0]["extension"]:
            if one["url"] == "content":
                told["text" if _is_english(details["text"]) else "text_en"] = str(one["valueString"])
        return Reason("exchange.refused-by-record", str((issue.get("expression") or [""])[0])[:200], told, "207")
    except Exception:  # noqa: BLE001 - an answer of another shape still says that it was refused
        return Reason("exchange.not-fhir", "")


def _is_english(text: str) -> bool:
    return not any("\u4e00" <= sign <= "\u9fff" for sign in text)


def _facts(bundle: dict[str, Any] | None) -> Facts:
    entries = (bundle or {}).get("entry") or []
    resources = [one["resource"] for one in entries if isinstance(one, dict) and isinstance(one.get("resource"), dict)]
    patients = [one for one in resources if one.get("resourceType") == "Patient"]
    try:
        found = facts_of(patients, [one for one in resources if one.get("resourceType") != "Patient"])
    except (AttributeError, TypeError, KeyError, IndexError):
        # The record's own check has let it in; what only our reading stumbles over is not counted.
        return NOTHING
    return Facts("", found.asked, found.filled, found.codes, found.coded, "", len(entries))


def _sender(request: Request) -> str:
    """Whose key it is; else what the bundle says of its source; else the caller's role at the gate."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    known = sender_with(key.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", ""))
    bundle = request.scope.get("kangyun.bundle") or {}
    meta = bundle.get("meta")
    source = meta.get("source") if isinstance(meta, dict) else None
    if known or (isinstance(source, str) and source):
        return known or str(source).removeprefix("urn:kangyun:sender:")[:80]
    return f"fhir:{request.state.handle.actor.name}"[:80]
