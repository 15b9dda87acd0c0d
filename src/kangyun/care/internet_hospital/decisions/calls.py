"""Judgements about calls: who sits where, what a bad network gives up first, who may be recorded. Pure."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kangyun.base import clock
from kangyun.base.rules import Rule, load
from kangyun.care.internet_hospital.model.calls import PARTICIPATION, Call, Credentials, Peer, Sample
from kangyun.commons.access import Actor, key_of

LEVELS = ("video", "low", "audio", "text")
FILM = "video/webm"
WHYS = ("", "choice", "refused", "network", "lost")


def terms() -> Mapping[str, Any]:
    """The figures of a call."""
    return _rule("calls.yaml").map


def _rule(file: str) -> Rule:
    return load("kangyun.care.internet_hospital", file)


def call_of(encounter: Mapping[str, Any]) -> Call | None:
    """The call of an Encounter; None when nobody is its subject."""
    patient = _id(encounter.get("subject"), "Patient")
    if not patient:
        return None
    doctors: list[str] = []
    guests: list[tuple[str, str]] = []
    for one in encounter.get("participant", ()):
        practitioner, role = _id(one.get("individual"), "Practitioner"), _role(one)
        if practitioner and role:
            guests.append((practitioner, role))
        elif practitioner and not one.get("period", {}).get("end"):
            doctors.append(practitioner)
    return Call(
        str(encounter["id"]), patient, key_of("Patient", patient), _id(encounter.get("serviceProvider"), "Organization"),
        tuple(doctors), tuple(guests), encounter.get("status") in terms()["open"],
        encounter.get("status") in terms()["begun"])


def _role(participant: Mapping[str, Any]) -> str:
    """specialist, interpreter or family; '' for whoever treats."""
    codes = {str(coding.get("code")) for one in participant.get("type", ()) for coding in one.get("coding", ())}
    return next((role for role, code in _rule("calls_deeds.yaml").map["roles"].items() if code in codes), "")


def _id(reference: Any, type_: str) -> str:
    text = str((reference or {}).get("reference", ""))
    return text.removeprefix(f"{type_}/") if text.startswith(f"{type_}/") else ""


def seat_kind(call: Call, actor: Actor) -> tuple[str, str] | None:
    """The kind and role of the caller's seat; None for somebody who sees the consultation and has no seat in it.

    A resident who sees it is the one it is for, or the guardian: the gate shows it to no other.
    """
    if actor.practitioner:
        if actor.practitioner in call.doctors:
            return "doctor", "doctor"
        role = dict(call.guests).get(actor.practitioner)
        return ("guest", role) if role else None
    return ("resident", "resident") if actor.person else None


def participant(role: str, name: str, practitioner: str = "") -> dict[str, Any]:
    """A third party as the Encounter keeps it."""
    code = _rule("calls_deeds.yaml").map["roles"][role]
    individual = {"reference": f"Practitioner/{practitioner}"} if practitioner else {}
    return {"type": [{"coding": [{"system": PARTICIPATION, "code": code}]}], "individual": {**individual, "display": name}}


def may(deed: str, kind: str) -> bool:
    """Whether a kind of seat may do a deed."""
    return kind in _rule("calls_deeds.yaml").map["deeds"].get(deed, ())


def roles_for(kind: str) -> list[str]:
    """Which third parties a kind of seat may invite."""
    return list(_rule("calls_deeds.yaml").map["by"].get(kind, ()))


def credentials(secret: bytes, peer: str, now: float) -> Credentials:
    """A user name and password that TURN accepts until they end (use-auth-secret of coturn)."""
    ends = int(now) + int(terms()["credential_seconds"])
    user = f"{ends}:{peer}"
    return Credentials(user, base64.b64encode(hmac.digest(secret, user.encode(), "sha1")).decode(), ends)


def recordable(peers: Iterable[Peer]) -> bool:
    """Whether a recording may run: doctor and resident are there, and everybody who is there has agreed."""
    here = [one for one in peers if one.here]
    return {"doctor", "resident"} <= {one.kind for one in here} and all(one.agreed for one in here)


def levels() -> list[dict[str, Any]]:
    """The steps of a call from best to least, as browsers need them: level, kbps, height, fps."""
    return [{name: row[name] for name in ("level", "kbps", "height", "fps")} for row in _rule("calls_levels.yaml").table]


def next_level(level: str, samples: Sequence[Sample]) -> str:
    """The level after these samples, oldest first; the same when nothing speaks for another."""
    rows = list(_rule("calls_levels.yaml").table)
    at = LEVELS.index(level)
    row = rows[at]
    wanted, patience = int(row["samples"]), int(row["patience"])
    if wanted and len(samples) >= wanted and all(_is_worse(one, row["worse"]) for one in samples[-wanted:]):
        return str(rows[at + 1]["level"])
    if patience and len(samples) >= patience and all(_is_good(one, row["better"]) for one in samples[-patience:]):
        return str(rows[at - 1]["level"])
    return level


def _is_worse(sample: Sample, limits: Mapping[str, float]) -> bool:
    return (
        (sample.lost is not None and sample.lost > limits["lost"])
        or (sample.kbps is not None and sample.kbps < limits["kbps"])
        or (sample.ms is not None and sample.ms > limits["ms"])
    )


def _is_good(sample: Sample, limits: Mapping[str, float]) -> bool:
    """What is unknown does not speak for more, save the room: browsers tell it only while they send pictures."""
    return (
        sample.lost is not None and sample.lost <= limits["lost"]
        and (sample.kbps is None or sample.kbps >= limits["kbps"])
        and (sample.ms is None or sample.ms <= limits["ms"])
    )


def check_terms(rule: Rule, given: Any) -> Any:
    """Judge an example {status}: whether one may talk then."""
    return given["status"] in rule.map["open"]


def check_level(rule: Rule, given: Any) -> Any:
    """Judge an example {level, samples} or {level, good: how many good samples}."""
    del rule
    told = given.get("samples", [{"lost": 0.0, "kbps": 2000, "ms": 40}] * given.get("good", 0))
    return next_level(given["level"], [Sample(one.get("lost"), one.get("kbps"), one.get("ms")) for one in told])


def check_deed(rule: Rule, given: Any) -> Any:
    """Judge an example {deed, kind}."""
    return given["kind"] in rule.map["deeds"][given["deed"]]


def film(id_: str, patient: str, encounter: str, period: tuple[datetime, datetime]) -> dict[str, Any]:
    """The Media resource that finds a recording from its beginning to its end."""
    began, ended = map(clock.instant, period)
    return {
        "resourceType": "Media", "id": id_, "status": "completed",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/media-type", "code": "video"}]},
        "subject": {"reference": f"Patient/{patient}"}, "encounter": {"reference": f"Encounter/{encounter}"},
        "createdPeriod": {"start": began, "end": ended}, "duration": round((period[1] - period[0]).total_seconds()),
        "content": {"contentType": FILM, "url": f"/calls/recordings/{id_}", "creation": began},
    }
