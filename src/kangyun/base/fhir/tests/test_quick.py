"""The quick acceptance never accepts what the exact walk refuses, and it does accept the usual."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kangyun.base.fhir.tests import samples
from kangyun.base.fhir.validation import explain, quick

JUNK: list[Any] = [
    None, "", " ", "x", 0, -1, 1.5, True, [], {}, [None], [[]], {"id": "x"}, "2023-02-30", "a b", "#x", "Patient/1",
    "Foo/1", "entered-in-error", "\x00", 99999999999, {"start": "2024-01-02", "end": "2024-01-01"},
    {"reference": "Foo/1"}, {"coding": [{"code": "x"}]}, {"text": "x"}, [{"url": "http://x"}],
    [{"url": "http://x", "valueString": "y", "extension": [{"url": "z", "valueCode": "z"}]}],
    [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueString": "Yunzhou"}],
    [{"resourceType": "Patient", "id": "x"}], {"status": "generated", "div": "<div>x</div>"},
]  # fmt: skip
NAMES = [
    "value", "valueString", "valueInteger", "status", "contained", "extension", "modifierExtension", "_status", "id",
    "period", "reference", "identifier", "system", "code", "text", "use", "other", "resourceType", "meta", "coding",
]  # fmt: skip


def places(node: Any) -> list[Any]:
    """Every object and list in a resource."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    found = [place for item in inner for place in places(item)]
    return [node, *found] if isinstance(node, (dict, list)) else found


def spoil(resource: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A copy with one to three random changes."""
    changed = copy.deepcopy(resource)
    for _ in range(chance.randint(1, 3)):
        place = chance.choice(places(changed))
        if isinstance(place, dict):
            name = chance.choice([*place, *chance.sample(NAMES, 3)])
            if name in place and chance.random() < 0.3:
                del place[name]
            else:
                place[name] = copy.deepcopy(chance.choice(JUNK))
        elif place:
            place[chance.randrange(len(place))] = copy.deepcopy(chance.choice(JUNK))
    return changed


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(samples.RESOURCES)), st.integers(0, 2**32))
def test_it_accepts_only_what_the_exact_walk_accepts(name: str, seed: int):
    spoilt = spoil(samples.RESOURCES[name], random.Random(seed))
    assert not quick.accept(spoilt) or explain(spoilt) == []


@pytest.mark.parametrize("name", sorted(samples.RESOURCES))
def test_it_accepts_usual_resources_without_the_walk(name: str):
    assert explain(samples.RESOURCES[name]) == []
    assert quick.accept(samples.RESOURCES[name])


RARE = {
    "a primitive with an extension only": {
        "resourceType": "Patient",
        "_birthDate": {"extension": [{"url": "http://x.org/e", "valueCode": "unknown"}]},
    },
    "padded names": {
        "resourceType": "Patient",
        "name": [{"given": ["娜", None], "_given": [None, {"extension": [{"url": "http://x.org/e", "valueCode": "u"}]}]}],
    },
    "an id inside an element": {"resourceType": "Patient", "name": [{"id": "n1", "text": "李娜"}]},
    "a conditional reference": {
        "resourceType": "Patient",
        "generalPractitioner": [{"reference": "Practitioner?identifier=urn:x|1"}],
    },
    "a reference with its type": {
        "resourceType": "Patient",
        "generalPractitioner": [{"reference": "Practitioner/1", "type": "Practitioner"}],
    },
    "a contained resource that points back": {
        "resourceType": "Patient",
        "contained": [{"resourceType": "Provenance", "id": "p", "recorded": "2024-01-01T00:00:00Z",
                       "target": [{"reference": "#"}], "agent": [{"who": {"display": "x"}}]}],
    },
    "base64 with line breaks": {"resourceType": "Binary", "contentType": "text/plain", "data": "aGVs\nbG8="},
}  # fmt: skip


@pytest.mark.parametrize("name", RARE)
def test_the_exact_walk_accepts_what_is_rare_but_right(name: str):
    assert not quick.accept(RARE[name])
    assert explain(RARE[name]) == []


@pytest.mark.parametrize(("subject", "quickly", "right"), [
    ({"type": "Patient", "identifier": {"value": "1"}}, True, True),
    ({"type": "Patient", "display": "x"}, True, True),
    ({"type": "Patient", "reference": "Patient/1"}, False, True),
    ({"type": "Device", "reference": "Patient/1"}, False, False),
    ({"type": "Foo", "display": "x"}, False, None),
])  # fmt: skip
def test_a_type_beside_an_identifier_needs_no_walk(subject: dict[str, Any], quickly: bool, right: bool | None):
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject}
    assert quick.accept(observation) is quickly
    if right is not None:
        assert (not explain(observation)) is right


@pytest.mark.parametrize("value", [None, [], "Patient", 1, {}, {"resourceType": None}, {"resourceType": ["Patient"]}])
def test_it_is_not_confused_by_what_is_no_resource(value: Any):
    assert not quick.accept(value)
    assert explain(value) != []
