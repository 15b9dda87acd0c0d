"""Finding a person by what is printed on the identity card, for those who may not look anybody up."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from kangyun.base.errors import refuse
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions.accounts import normal_phone
from kangyun.commons.access.model import escaped
from kangyun.commons.access.queries import emergency
from kangyun.commons.access.queries.accounts import sql
from kangyun.commons.records import key_of

_ID_NUMBERS = "urn:oid:2.16.156.10011.1.3"
_SHAPE = re.compile(r"\d{17}[\dX]")


def normal_number(text: str) -> str:
    """An ID number as it is kept, 18 signs. Raises Problem 422 for what is none."""
    number = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()
    if not _SHAPE.fullmatch(number):
        raise refuse(422, "value", "access.no-id-number")
    return number


async def person_by(parts: Parts, name: str, number: str) -> dict[str, Any] | None:
    """The Person of a name and an ID number that belong together; None whatever does not fit."""
    handle = parts.gate.system("access.binding")
    page = await handle.search("Patient", [("identifier", f"{_ID_NUMBERS}|{escaped(number)}"), ("_count", "50")])
    fitting = [str(one["id"]) for one in page.resources if _is_called(one, name)]
    if not fitting:
        return None
    links = ",".join(f"Patient/{one}" for one in fitting)
    found = [one for one in (await handle.search("Person", [("link", links)])).resources if one.get("active", True)]
    return found[0] if len(found) == 1 else None


async def person(parts: Parts, id_: str) -> dict[str, Any]:
    """A Person by id; {} when there is none."""
    return await parts.gate.system("access.account").read("Person", id_) or {}


async def follow(parts: Parts, id_: str) -> str:
    """The id of the Person that somebody is now: one that was found to be another leads there.

    What is known of the account moves along, and sessions as the former Person end.
    """
    now, seen = id_, {id_}
    while (into := _into(await person(parts, now))) and into not in seen:
        seen.add(into)
        now = into
    if now != id_:
        async with parts.database.transaction() as connection:
            await connection.execute(sql.move_account, id_, now)
            await connection.execute(sql.move_guardians, id_, now)
            await parts.entries.revoke_in(connection, person=id_)
    return now


async def phone_of(parts: Parts, patient: str, person: str = "") -> str | None:
    """The phone of a resident's account, else one that an institution has noted; a Person who is known need not be looked for."""
    held = await (emergency.phone(parts.database, person) if person else emergency.phone_above(parts.database, patient))
    if held:
        return parts.keys.open("account-phone", held[1], held[0].encode()).decode()
    resource = await parts.gate.system("access.phone").read("Patient", patient) or {}
    return next((number for one in resource.get("telecom", []) if (number := normal_phone(str(one.get("value", ""))))), None)


def _into(person: dict[str, Any]) -> str:
    """Where a Person leads that is one no more."""
    links = [str(one.get("target", {}).get("reference", "")) for one in person.get("link", [])] if person.get("active") is False else []
    return next((one.removeprefix("Person/") for one in links if one.startswith("Person/")), "")


def residents(*persons: dict[str, Any]) -> list[int]:
    """The keys of the Patients of persons, for the audit trail."""
    return [key_of("Patient", one) for each in persons for one in patients(each)]


def patients(person: dict[str, Any]) -> list[str]:
    """The ids of a Person's Patients."""
    references = [str(one.get("target", {}).get("reference", "")) for one in person.get("link", [])]
    return [one.removeprefix("Patient/") for one in references if one.startswith("Patient/")]


def called(person: dict[str, Any]) -> str:
    """The name by which somebody is addressed; '' without one."""
    names = [one for one in person.get("name", []) if one.get("use") != "old"]
    return next((_text(one) for one in sorted(names, key=lambda one: one.get("use") != "official") if _text(one)), "")


def _text(name: dict[str, Any]) -> str:
    return str(name.get("text") or "".join([str(name.get("family", "")), *map(str, name.get("given", []))]))


def _is_called(patient: dict[str, Any], name: str) -> bool:
    asked = _plain(name)
    return bool(asked) and any(_plain(_text(one)) == asked for one in patient.get("name", []))


def _plain(name: str) -> str:
    return re.sub(r"[\s·•・.．‧]", "", unicodedata.normalize("NFKC", name)).casefold()


async def qualifications(parts: Parts, practitioner: str) -> tuple[str, list[str]]:
    """The name of a Practitioner, and what he is qualified for and works as, from the record; '' and none when unknown."""
    handle = parts.gate.system("access.account")
    found = await handle.read("Practitioner", practitioner)
    if found is None:
        return "", []
    roles = (await handle.search("PractitionerRole", [("practitioner", f"Practitioner/{practitioner}"), ("_count", "20")])).resources
    concepts = [one.get("code", {}) for one in found.get("qualification", [])]
    concepts += [one for role in roles if role.get("active", True) for kind in ("code", "specialty") for one in role.get(kind, [])]
    return called(found), list(dict.fromkeys(text for one in concepts if (text := _words(one))))


def _words(concept: dict[str, Any]) -> str:
    codings = (str(one.get("display") or one.get("code") or "") for one in concept.get("coding", []))
    return str(concept.get("text") or next(codings, ""))
