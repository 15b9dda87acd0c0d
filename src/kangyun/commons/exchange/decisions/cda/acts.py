"""The entries of a section: which kind each is, and the builder that makes resources of it.

A kind follows from the template that an act claims (C-CDA), else from the data element that it states (WS 363), else from
its class, its mood and its section. Tables: rules/cda/templates.yaml, elements.yaml, sections.yaml.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.decisions.cda import (
    clinical,
    codes,
    devices,
    directives,
    insurance,
    medicines,
    observations,
)
from kangyun.commons.exchange.decisions.cda.sheet import Paper
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, every, first
from kangyun.commons.exchange.decisions.drafts import Draft

_PACKAGE = "kangyun.commons.exchange"
_CLASSES = {
    "observation": "observation", "substanceAdministration": "medication", "procedure": "procedure", "encounter": "encounter",
    "organizer": "organizer", "act": "concern", "supply": "supply",
}  # fmt: skip
_WANTED = {"INT", "RQO", "PRMS", "PRP", "ARQ", "APT"}

Builder = Callable[[Element, "Place"], list[Draft]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands: its document, the code of its section, and what the section's rule says."""

    paper: Paper
    section: str
    rule: dict[str, Any]
    when: str


def section_rule(code: str) -> dict[str, Any]:
    """What the rules say of a section; nothing for sections that are not known."""
    return rules.load(_PACKAGE, "cda/sections.yaml").map.get(code, {})


def drafts_of(entry: Element, place: Place) -> list[Draft]:
    """The drafts of one entry, those that the section points to. Raises Fault."""
    found: list[Draft] = []
    for act in entry:
        if act.tag in _CLASSES:
            found += made(act, place)
    return found


def made(act: Element, place: Place) -> list[Draft]:
    """The drafts of one act. Raises Fault."""
    return _BUILDERS[kind_of(act, place)](act, place)


def kind_of(act: Element, place: Place) -> str:
    """Which builder an act is for."""
    templates = rules.load(_PACKAGE, "cda/templates.yaml").map
    for template in every(act, "templateId"):
        known = templates.get(attribute(template, ".", "root"))
        if known:
            return str(known)
    element = codes.entry(codes.element_code(act))
    if element:
        return str(element.get("make") or "observation")
    mood, plain = attribute(act, ".", "moodCode"), _CLASSES[str(act.tag)]
    if mood == "GOL":
        return "goal"
    if plain == "medication":
        return "immunization" if place.rule.get("make") == "immunization" else plain
    return "request" if mood in _WANTED and plain not in {"concern", "supply"} else plain


def organizer(act: Element, place: Place) -> list[Draft]:
    """A group of observations: family history, a laboratory report, or no more than its members."""
    if first(act, "subject/relatedSubject") is not None:
        return clinical.family(act, place)
    inside = Place(place.paper, place.section, place.rule, observations.when(act, place) or place.when)
    members = [draft for component in every(act, "component") for draft in drafts_of(component, inside)]
    if place.rule.get("make") == "report":
        return [*observations.report(act, inside, members), *members]
    return members


def concern(act: Element, place: Place) -> list[Draft]:
    """An act around others, such as a problem concern: what is inside counts."""
    return [draft for inner in every(act, "entryRelationship") for draft in drafts_of(inner, place)]


def observation(act: Element, place: Place) -> list[Draft]:
    """A statement with what is stated below it."""
    found = observations.observation(act, place)
    inside = Place(place.paper, place.section, place.rule, observations.when(act, place) or place.when)
    return [*found, *(draft for inner in every(act, "entryRelationship") for draft in drafts_of(inner, inside))]


def procedure(act: Element, place: Place) -> list[Draft]:
    """A procedure, and what is stated of it beside its own code and name."""
    found = clinical.procedure(act, place)
    if act.tag != "procedure":
        return found
    things = devices.used_in(act, place)
    if things and found and found[0].type == "Procedure":
        found[0].resource["focalDevice"] = things
    inside = Place(place.paper, place.section, place.rule, observations.when(act, place) or place.when)
    inner = [one for one in every(act, "entryRelationship/observation") if codes.element_code(one) not in {"", *clinical.OPERATION}]
    return [*found, *(draft for one in inner for draft in made(one, inside))]


def nothing(_act: Element, _place: Place) -> list[Draft]:
    """What only says something about another entry, or is kept in the narrative alone."""
    return []


_BUILDERS: dict[str, Builder] = {
    "observation": observation, "organizer": organizer, "concern": concern, "nothing": nothing, "problem": clinical.problem,
    "diagnosis": clinical.diagnosis, "allergy": clinical.allergy, "procedure": procedure,
    "encounter": clinical.encounter, "family": clinical.family_element, "goal": clinical.goal, "request": clinical.request,
    "medication": medicines.medication, "immunization": medicines.immunization,
    "coverage": insurance.coverage, "directive": directives.directive, "supply": devices.supply,
}  # fmt: skip
