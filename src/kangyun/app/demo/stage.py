"""The stage on which the simulated city plays the internet hospital: a file that only its owner reads, with who logs in how."""

from __future__ import annotations

import json
from pathlib import Path

from kangyun.app.demo.hospital import Open
from kangyun.app.demo.logins import Prepared
from kangyun.app.demo.outside import Around
from kangyun.app.demo.people import CITY
from kangyun.app.demo.staff import BY, Kept, Login, Wanted, employ
from kangyun.app.services import Services
from kangyun.commons.access.actions import clients
from kangyun.commons.access.decisions.clients import Registration

_FILE = "demo-stage.json"
_BACK = "http://127.0.0.1/back"
_SCOPES = "launch/patient patient/*.cruds user/*.cruds offline_access"
# Others than those whose logins are printed: two cannot be in one consultation.
_OWN = (("pharmacist", "叶青"), ("retail_pharmacist", "方圆"), ("courier", "程远"))


async def write(services: Services, kept: Kept, made: Prepared, opened: Open, around: Around) -> Path:
    """Write the stage: doctors that are the city's own, and one of each other role, at the demonstration's institutions."""
    staff = [one for one in opened.doctors if one.name.startswith("demo.doctor-")]
    for role, called in _OWN:
        staff.append(await employ(services, kept, Wanted(role, f"demo.city-{role.replace('_', '-')}", called), made.places[role]))
    app = await _app(services, kept)
    kept.write()
    told = {
        "url": f"http://{services.settings.host}:{services.settings.port}", "phones": around.phones_url, "bank": around.bank_url, "app": app,
        "clinic": opened.clinics[0], "pharmacy": made.places["retail_pharmacist"], "courier": made.places["courier"],
        "staff": [_told(one) for one in staff], "residents": [one.phone for one in CITY]}
    file = services.settings.data / _FILE
    file.touch(mode=0o600)
    file.write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    return file


def _told(one: Login) -> dict[str, str]:
    return {"role": one.role, "name": one.name, "password": one.password, "totp": one.totp, "practitioner": one.practitioner}


async def _app(services: Services, kept: Kept) -> str:
    """The app that the city's people use, registered once for each data folder."""
    if "app" not in kept.told:
        told = Registration("云州就医", "Yunzhou Care", _SCOPES, kind="public", redirects=(_BACK,))
        kept.told["app"] = {"client": (await clients.add(services, BY, told)).id}
    return kept.told["app"]["client"]
