"""What residents close and open takes effect in the same commit, whichever way the Consent came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kangyun.app.services import Services
from kangyun.commons.access import Actor, Handle, Write, key_of, label_all, settle_relations
from kangyun.commons.access.decisions import sensitive

_LABEL = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


class City:
    """Two hospitals, the first with a department; a resident whom both keep, and a doctor at each."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.operator = services.gate.open(Actor("local", "operator"))
        self.ids: dict[str, str] = {}

    async def make(self) -> None:
        """Write everybody down."""
        async with self.services.database.connection() as connection:
            await settle_relations(connection)
        for name, part in (("near", None), ("far", None), ("ward", "near")):
            organization: dict[str, Any] = {"resourceType": "Organization", "name": name}
            if part:
                organization["partOf"] = {"reference": f"Organization/{self.ids[part]}"}
            self.ids[name] = await self.put(organization)
        for name in ("at-near", "at-far"):
            keeper = {"reference": f"Organization/{self.ids[name.removeprefix('at-')]}"}
            self.ids[name] = await self.put({"resourceType": "Patient", "managingOrganization": keeper, "birthDate": "1956-03-04"})
        links = [{"target": {"reference": f"Patient/{self.ids[name]}"}} for name in ("at-near", "at-far")]
        self.ids["person"] = await self.put({"resourceType": "Person", "link": links})
        await self.visit("near", "at-near")
        for name, code in (("cold", "J00"), ("low", "F32.1"), ("b24", "B24")):
            self.ids[name] = await self.condition(code, "at-far")

    async def visit(self, institution: str, patient: str) -> None:
        """Let somebody be in an institution's care."""
        await self.put({
            "resourceType": "Encounter", "status": "in-progress", "class": {"code": "AMB"},
            "serviceProvider": {"reference": f"Organization/{self.ids[institution]}"}, "subject": {"reference": f"Patient/{self.ids[patient]}"},
        })

    async def condition(self, code: str, patient: str) -> str:
        """A diagnosis at the hospital that keeps the Patient."""
        return await self.put({
            "resourceType": "Condition", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}]},
            "subject": {"reference": f"Patient/{self.ids[patient]}"},
        })

    async def consent(self, provision: Mapping[str, Any], **more: Any) -> str:
        """A Consent of the resident."""
        return await self.put({
            "resourceType": "Consent", "status": "active", "scope": {"coding": [{"code": "patient-privacy"}]},
            "category": [{"coding": [{"code": "INFA"}]}], "patient": {"reference": f"Patient/{self.ids['at-near']}"},
            "policyRule": {"coding": [{"code": "OPTIN"}]}, "provision": provision, **more,
        })

    async def withdraw(self, id_: str) -> None:
        """Take a Consent back, as a page does."""
        consent = await self.operator.read("Consent", id_)
        await self.operator.commit([Write("update", "Consent", {**(consent or {}), "status": "inactive"}, id=id_)])

    def doctor(self, institution: str, account: str = "a1") -> Handle:
        """A hospital doctor at an institution."""
        return self.services.gate.open(Actor(f"user/{account}", "hospital_doctor", institution=self.ids[institution], account=account))

    async def sees(self, institution: str, account: str = "a1") -> set[str]:
        """Which of the three diagnoses a doctor there finds."""
        page = await self.doctor(institution, account).search("Condition")
        named = {id_: name for name, id_ in self.ids.items()}
        return {named[one["id"]] for one in page.resources}

    def at(self, *institutions: str) -> list[dict[str, Any]]:
        """The actors of a provision."""
        role = {"coding": [{"code": "PRCP"}]}
        return [{"role": role, "reference": {"reference": f"Organization/{self.ids[one]}"}} for one in institutions]

    async def change(self, resource: dict[str, Any]) -> None:
        """Write something anew as the operator."""
        await self.operator.commit([Write("update", resource["resourceType"], resource, id=resource["id"])])

    async def put(self, resource: dict[str, Any]) -> str:
        """Write something as the operator; its id."""
        return (await self.operator.commit([Write("create", resource["resourceType"], resource)]))[0].id


@pytest.fixture
async def city(services: Services) -> City:
    made = City(services)
    await made.make()
    return made


async def test_sensitive_classes_are_closed_but_to_those_who_recorded_them(city: City) -> None:
    assert await city.sees("near") == {"cold"}
    await city.visit("far", "at-far")
    assert await city.sees("far") == {"cold", "low", "b24"}


async def test_a_class_opens_by_a_consent_of_its_own_and_closes_at_once_when_it_is_withdrawn(city: City) -> None:
    psy = [{"system": _LABEL, "code": "PSY"}]
    id_ = await city.consent({"type": "permit", "actor": city.at("near"), "securityLabel": psy})
    assert await city.sees("near") == {"cold", "low"}
    await city.withdraw(id_)
    assert await city.sees("near") == {"cold"}


async def test_a_consent_for_a_purpose_or_a_time_of_its_own_opens_nothing_else(city: City) -> None:
    hiv = [{"system": _LABEL, "code": "HIV"}]
    await city.consent({"type": "permit", "securityLabel": hiv, "purpose": [{"code": "HRESCH"}]})
    await city.consent({"type": "permit", "securityLabel": hiv, "period": {"end": "2020-01-01"}})
    await city.consent({"type": "permit", "securityLabel": hiv, "actor": city.at("far")})
    assert await city.sees("near") == {"cold"}


async def test_a_denial_closes_an_institution_and_those_below_it(city: City) -> None:
    await city.visit("ward", "at-near")
    assert await city.sees("ward") == {"cold"}
    id_ = await city.consent({"type": "deny", "actor": city.at("near")})
    assert await city.sees("near") == set()
    assert await city.sees("ward") == set()
    await city.withdraw(id_)
    assert await city.sees("ward") == {"cold"}


async def test_a_denial_for_everybody_spares_those_it_names(city: City) -> None:
    await city.consent({"type": "deny", "provision": [{"type": "permit", "actor": city.at("near")}]})
    assert await city.sees("near") == {"cold"}
    other = await city.consent({"type": "deny", "class": [{"code": "Condition"}]})
    assert await city.sees("near") == set()
    await city.operator.commit([Write("delete", "Consent", id=other)])
    assert await city.sees("near") == {"cold"}


async def test_a_resident_lets_an_institution_in_that_has_no_care_relation(city: City) -> None:
    stranger = await city.put({"resourceType": "Organization", "name": "stranger"})
    city.ids["stranger"] = stranger
    assert await city.sees("stranger") == set()
    await city.consent({"type": "permit", "actor": city.at("stranger"), "class": [{"code": "Condition"}]})
    assert await city.sees("stranger") == {"cold"}


async def test_a_consent_within_a_bundle_takes_effect_with_it(city: City) -> None:
    async with city.operator.transaction() as transaction:
        await transaction.write([Write("create", "Consent", {
            "resourceType": "Consent", "status": "active", "scope": {"coding": [{"code": "patient-privacy"}]},
            "category": [{"coding": [{"code": "INFA"}]}], "patient": {"reference": f"Patient/{city.ids['at-far']}"},
            "policyRule": {"coding": [{"code": "OPTIN"}]}, "provision": {"type": "deny"},
        })])
    assert await city.sees("near") == set()


async def test_a_consent_hides_that_it_is_about_a_class(city: City) -> None:
    id_ = await city.consent({"type": "permit", "actor": city.at("far"), "securityLabel": [{"system": _LABEL, "code": "STD"}]})
    async with city.services.database.connection() as connection:
        tokens = await connection.fetchval("SELECT tokens FROM resource WHERE key = $1", key_of("Consent", id_))
    assert sensitive.token("hiv_std") in tokens
    assert (await city.doctor("near").search("Consent")).resources == []


async def test_a_doctor_sees_that_something_is_withheld_and_not_what(city: City) -> None:
    assert await city.doctor("near").withheld(city.ids["at-near"])
    await city.consent({"type": "permit", "securityLabel": [{"system": _LABEL, "code": one} for one in ("PSY", "HIV")]})
    assert not await city.doctor("near").withheld(city.ids["at-near"])
    await city.consent({"type": "deny", "actor": city.at("near"), "class": [{"code": "ImagingStudy"}]})
    assert await city.doctor("near").withheld(city.ids["at-near"])
    assert not await city.operator.withheld(city.ids["at-near"])


async def test_what_was_written_under_another_rule_is_labelled_anew(city: City) -> None:
    database = city.services.database
    async with database.connection() as connection:
        await connection.execute("DELETE FROM access_labelling")
        await connection.execute("UPDATE resource SET tokens = array_remove(tokens, $1)", sensitive.token("mental"))
    assert await city.sees("near") == {"cold", "low"}
    assert await label_all(database) > 0
    assert await city.sees("near") == {"cold"}
    assert await label_all(database) == 0, "it is done once for a state of the rule"
