"""Notices: what happened is told to the resident on the own page, and by a text message where a phone is known.

A notice is a `Communication` of the record, written in the transaction of what it tells of, so that neither is there without
the other. Its text is a key of locale/pages.yaml and says nothing about health: text messages are read over shoulders.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import structlog

from kangyun.base import clock, jobs, web
from kangyun.base.database import Connection
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.actions.people import phone_of
from kangyun.commons.records import Write

log = structlog.get_logger()

CATEGORY = "urn:kangyun:notice"
_LANGUAGES = ("zh", "en")


async def tell(
    connection: Connection, patient: str, key: str, *, about: str = "", page: str = "", text_message: bool = True, **params: str | int
) -> Write:
    """The Write of a notice for the resident of a Patient (id); commit it on the same connection as what it tells of.

    key: of the text, a text message's as well; params: its variables, nothing about health among them. about: reference of
    what it is about; page: path where the resident goes on.
    """
    id_ = uuid4().hex
    if text_message:
        await jobs.enqueue(connection, "access.text", {"notice": id_, "patient": patient, "key": key, "params": params}, key=f"notice/{id_}")
    notice: dict[str, Any] = {
        "resourceType": "Communication", "id": id_, "status": "completed", "sent": clock.now().isoformat(),
        "category": [{"coding": [{"system": CATEGORY, "code": key}]}],
        "subject": {"reference": f"Patient/{patient}"}, "recipient": [{"reference": f"Patient/{patient}"}],
        "payload": [{"contentString": web.translate(language, key, **params)} for language in _LANGUAGES],
    }
    if about:
        notice["about"] = [{"reference": about}]
    if page:
        notice["payload"].append({"contentAttachment": {"url": page}})
    return Write("update", "Communication", notice, id_)


def said(notice: dict[str, Any], language: str) -> dict[str, str]:
    """What a notice says in a language: text, sent, and the page where the resident goes on ('' without one)."""
    texts = [str(one["contentString"]) for one in notice.get("payload", []) if "contentString" in one]
    pages = [str(one["contentAttachment"].get("url", "")) for one in notice.get("payload", []) if "contentAttachment" in one]
    text = texts[min(_LANGUAGES.index(language), len(texts) - 1)] if texts else ""
    page = next((one for one in pages if one.startswith("/") and not one.startswith("//")), "")
    return {"text": text, "sent": str(notice.get("sent", "")), "page": page}


@jobs.job("access.text")
async def send(services: Parts, payload: dict[str, Any]) -> None:
    """Send the text message of a notice; without a gateway or a phone the page alone tells it."""
    if not services.sms.ready:
        return
    patient = str(payload.get("patient", "")) or await _told(services, str(payload["notice"]))
    phone = await phone_of(services, patient) if patient else None
    if phone is None:
        log.info("access.notice-no-phone", id=payload["notice"])
        return
    await services.sms.send(phone, str(payload["key"]), **payload["params"])


async def _told(services: Parts, notice: str) -> str:
    """Whom a notice of the record is for: the id of a Patient, '' when there is no such notice."""
    found = await services.gate.system("access.text").read("Communication", notice)
    return str(found["subject"]["reference"]).removeprefix("Patient/") if found else ""
