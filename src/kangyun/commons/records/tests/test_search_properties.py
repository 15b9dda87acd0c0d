"""Random resources and random searches: the index against a plain scan."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kangyun.base.clock import now
from kangyun.base.database import Database
from kangyun.base.fhir import definitions, fhirpath
from kangyun.commons.records.decisions.index import dates, extract
from kangyun.commons.records.decisions.index.extraction import slots_of
from kangyun.commons.records.decisions.index.parameters import DECEASED, parameters
from kangyun.commons.records.decisions.index.paths import Path as SearchPath
from kangyun.commons.records.decisions.index.paths import follow
from kangyun.commons.records.decisions.index.slots import letters_of
from kangyun.commons.records.decisions.index.tokens import TEXT
from kangyun.commons.records.decisions.index.tree import values
from kangyun.commons.records.queries import search
from kangyun.commons.records.queries.search import chains
from kangyun.commons.records.tests.plain_scan import scan
from kangyun.commons.records.tests.shelf import put

EXAMPLES = Path(__file__).resolve().parents[5] / "node_modules" / "hl7.fhir.r4.examples"
Json = dict[str, Any]
_numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def _utc() -> Iterator[None]:
    dates.set_zone(ZoneInfo("UTC"))
    yield
    dates.set_zone(None)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


CODES, SYSTEMS = st.sampled_from(["a", "b", "A", "8480-6"]), st.sampled_from(["urn:x", "urn:y"])
WORDS = st.sampled_from(["Acute", "acute pain", "Ácute", "Chronic", "高血压", "50%_off\\"])
IDS = st.sampled_from(["1", "2", "3"])
DATES = st.sampled_from([
    "2012", "2013", "2013-01", "2013-02", "2013-01-14", "2013-01-15", "2013-01-14T00:00:00Z", "2013-01-14T10:00:00Z",
    "2013-01-14T10:00:00.500Z", "2013-01-14T18:00:00+08:00", "2012-12-31T23:30:00-02:00", "2016-02-29",
])  # fmt: skip
NUMBERS = st.sampled_from([0, 5, 5.4, 5.36, 5.44, 5.45, 100, 99.5, 100.4, -3, 0.01])
CODING = some(code=CODES, system=SYSTEMS, display=WORDS)
CONCEPT = some(coding=st.lists(CODING, max_size=2), text=WORDS)
QUANTITY = some(
    value=NUMBERS, unit=st.sampled_from(["mg", "毫克"]), code=st.sampled_from(["mg", "g"]), system=SYSTEMS,
    comparator=st.sampled_from(["<", ">="]),
)  # fmt: skip
NAME = some(
    family=st.sampled_from(["王", "du Marché", "Duncan", "欧阳"]), given=st.lists(st.sampled_from(["小明", "Ángela", "明"]), min_size=1, max_size=2),
    text=st.sampled_from(["王小明", "Wang X", "欧阳明"]),
)  # fmt: skip
# What ends before it begins is not stored (per-1).
PERIOD = some(start=DATES, end=DATES).filter(lambda p: p.get("start", "") <= p.get("end", "9"))
IDENTIFIER = some(system=SYSTEMS, value=CODES)


def reference(*types: str) -> st.SearchStrategy[Json]:
    literal = st.builds("{}/{}".format, st.sampled_from(types), IDS)
    return some(reference=literal, identifier=IDENTIFIER).filter(bool)


PATIENT = some(
    active=st.booleans(), gender=st.sampled_from(["male", "female"]), birthDate=st.sampled_from(["1980", "1980-02", "1980-02-29", "2013-01-14"]),
    name=st.lists(NAME.filter(bool), max_size=2), identifier=st.lists(IDENTIFIER.filter(bool), max_size=2), maritalStatus=CONCEPT,
    generalPractitioner=st.lists(reference("Practitioner", "Organization"), max_size=2),
)  # fmt: skip
EFFECTIVE = st.one_of(
    st.just({}), DATES.map(lambda d: {"effectiveDateTime": d}), PERIOD.filter(bool).map(lambda p: {"effectivePeriod": p})
)
VALUE = st.one_of(
    st.just({}), QUANTITY.map(lambda q: {"valueQuantity": q}), CONCEPT.map(lambda c: {"valueCodeableConcept": c}),
    WORDS.map(lambda s: {"valueString": s}), DATES.map(lambda d: {"valueDateTime": d}),
)  # fmt: skip
COMPONENT = st.builds(lambda code, value: {"code": code, **value}, CONCEPT, VALUE)
OBSERVATION = st.builds(
    lambda base, effective, value: {**base, **effective, **value},
    some(code=CONCEPT, status=st.sampled_from(["final", "amended"]), category=st.lists(CONCEPT, max_size=2),
         subject=reference("Patient", "Group"), component=st.lists(COMPONENT, max_size=3),
         performer=st.lists(reference("Practitioner", "Organization"), max_size=2)),
    EFFECTIVE, VALUE,
)  # fmt: skip
PRACTITIONER = some(name=st.lists(NAME.filter(bool), max_size=1), active=st.booleans())


def numbered(type_: str, content: st.SearchStrategy[Json]) -> st.SearchStrategy[list[Json]]:
    """Up to three resources of a type with the ids 1 to 3."""
    return st.lists(content, max_size=3).map(
        lambda found: [{"resourceType": type_, "id": str(n), **r} for n, r in enumerate(found, 1)]
    )


WORLDS = st.builds(
    lambda *lists: [resource for found in lists for resource in found],
    numbered("Patient", PATIENT), numbered("Observation", OBSERVATION), numbered("Practitioner", PRACTITIONER),
)  # fmt: skip

PREFIXES = st.sampled_from(["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"])
TOKENS = st.one_of(CODES, st.builds("{}|{}".format, SYSTEMS, CODES), CODES.map("|{}".format), SYSTEMS.map("{}|".format))
FULL_TOKENS = st.one_of(CODES, st.builds("{}|{}".format, SYSTEMS, CODES))
DATE_TEXTS = st.builds("{}{}".format, PREFIXES, DATES | st.just("2013-01-14T10:00"))
NUMBER_TEXTS = st.sampled_from(["0", "5", "5.4", "5.40", "1e2", "100", "100.0", "-3", "0.01"])
QUANTITY_TEXTS = st.builds("{}{}{}".format, PREFIXES, NUMBER_TEXTS, st.sampled_from(["", "||mg", "||毫克", "|urn:x|mg", "|urn:y|g"]))
NAMES = st.sampled_from(["王", "小", "明", "王小明", "欧阳明", "欧阳小", "DU", "du marche", "angela", "Ánge", "dunc", "wangx1"])
STRINGS = st.sampled_from(["acute", "ACUTE P", "chr", "高", "50%", "50%_off"])
REFERENCES = st.builds("{}{}".format, st.sampled_from(["", "Practitioner/", "Organization/"]), IDS)
SUBJECTS = st.builds("{}{}".format, st.sampled_from(["", "Patient/", "Group/"]), IDS)


def asks(names: str, texts: st.SearchStrategy[str], most: int = 2) -> st.SearchStrategy[tuple[str, str]]:
    """`name=text,text` for one of the names."""
    return st.tuples(st.sampled_from(names.split()), st.lists(texts, min_size=1, max_size=most).map(",".join))


MISSING = st.sampled_from(["true", "false"])
OBSERVATION_ASKS = st.one_of(
    asks("code code:not combo-code category component-code value-concept", TOKENS),
    asks("code:text category:text", STRINGS, 1),
    asks("status status:not", st.sampled_from(["final", "amended"])),
    asks("date value-date", DATE_TEXTS),
    asks("value-quantity component-value-quantity combo-value-quantity", QUANTITY_TEXTS),
    asks("subject patient", SUBJECTS),
    asks("performer", REFERENCES),
    asks("subject:Patient subject:Group", IDS),
    asks("subject:identifier performer:identifier", TOKENS),
    asks("value-string:exact", WORDS, 1),
    asks("value-string value-string:contains", STRINGS, 1),
    asks("code:missing subject:missing patient:missing date:missing value-quantity:missing value-string:missing"
         " component-code:missing", MISSING, 1),
    asks("code-value-quantity component-code-value-quantity combo-code-value-quantity",
         st.builds("{}${}".format, FULL_TOKENS, QUANTITY_TEXTS)),
    asks("code-value-concept component-code-value-concept combo-code-value-concept",
         st.builds("{}${}".format, FULL_TOKENS, FULL_TOKENS)),
    asks("code-value-date", st.builds("{}${}".format, FULL_TOKENS, DATE_TEXTS)),
)  # fmt: skip
PATIENT_ASKS = st.one_of(
    asks("name family given", NAMES), asks("name:exact", st.sampled_from(["王", "du Marché", "Duncan", "duncan", "小明"])),
    asks("name:contains", NAMES, 1), asks("identifier identifier:not", TOKENS),
    asks("birthdate", DATE_TEXTS | st.builds("{}{}".format, PREFIXES, st.sampled_from(["1980", "1980-02", "1980-02-29"]))),
    asks("general-practitioner", REFERENCES), asks("active gender:missing name:missing", MISSING, 1),
)  # fmt: skip
PRACTITIONER_ASKS = st.one_of(asks("name", NAMES), asks("active", MISSING, 1))


def under(head: str, asked: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """The question asked through a chain or _has."""
    return asked.map(lambda pair: (head + pair[0], pair[1]))


OBSERVATION_QUERIES = st.lists(st.one_of(
    OBSERVATION_ASKS, OBSERVATION_ASKS, under("patient.", PATIENT_ASKS), under("subject:Patient.", PATIENT_ASKS),
    under("performer:Practitioner.", PRACTITIONER_ASKS),
    under("patient.general-practitioner:Practitioner.", PRACTITIONER_ASKS),
    under("patient._has:Observation:subject:", OBSERVATION_ASKS),
), min_size=1, max_size=3)  # fmt: skip
PATIENT_QUERIES = st.lists(st.one_of(
    PATIENT_ASKS, PATIENT_ASKS, under("_has:Observation:patient:", OBSERVATION_ASKS),
    under("_has:Observation:patient:performer:Practitioner.", PRACTITIONER_ASKS),
    under("general-practitioner:Practitioner.", PRACTITIONER_ASKS),
), min_size=1, max_size=3)  # fmt: skip


async def found(database: Database, type_: str, params: list[tuple[str, str]]) -> set[str]:
    query = search.parse(type_, [*params, ("_count", "100")], strict=True, now=now())
    async with database.connection() as connection:
        return {row.id for row in (await search.run(connection, query)).rows}


async def fill(database: Database, world: list[Json]) -> None:
    async with database.connection() as connection:
        await connection.execute("TRUNCATE resource, span")
    await put(database, world)


@pytest.mark.parametrize("ways", [(1000, 1000), (0, 1000), (0, 0)])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture])
@given(world=WORLDS, observations=st.lists(OBSERVATION_QUERIES, min_size=8, max_size=8),
       patients=st.lists(PATIENT_QUERIES, min_size=5, max_size=5))  # fmt: skip
async def test_it_finds_what_a_plain_scan_finds(
    database: Database, ways: tuple[int, int], world: list[Json], observations: list[Any], patients: list[Any]
) -> None:
    await fill(database, world)
    usual = chains.FEW, chains.SOME
    chains.FEW, chains.SOME = ways
    try:
        for type_, queries in (("Observation", observations), ("Patient", patients)):
            for params in queries:
                assert await found(database, type_, params) == scan(world, type_, params), (type_, params)
    finally:
        chains.FEW, chains.SOME = usual


async def test_a_code_with_a_date_as_its_value_is_found_by_both(database: Database) -> None:
    world = [
        {"resourceType": "Observation", "id": str(number), "status": "final", "code": {"coding": [{"code": code}]}, "valueDateTime": when}
        for number, (code, when) in enumerate([("a", "2012"), ("a", "2013"), ("b", "2012")], 1)
    ]
    await fill(database, world)
    asked = [("code-value-date", "a$2012")]
    assert await found(database, "Observation", asked) == scan(world, "Observation", asked) == {"1"}


def _examples() -> list[Path]:
    if not EXAMPLES.exists():
        pytest.skip("the official examples are not installed")
    known = definitions.load().resources
    return [path for path in sorted(EXAMPLES.glob("*-*.json")) if path.name.partition("-")[0] in known]


def test_its_paths_lead_where_the_fhirpath_expressions_lead() -> None:
    for file in _examples()[::3]:
        resource = orjson.loads(file.read_bytes())
        type_ = resource["resourceType"]
        for param in definitions.load().search_params[type_].values():
            if param.expression and param.expression != DECEASED and param.type != "composite":
                paths = dict.fromkeys(follow(param.expression, SearchPath((), type_)))
                mine = [value for path in paths for value in values(path, resource)]
                theirs = [value for _, value in fhirpath.compile_fast(param.expression, type_)(resource)]
                if param.code in {"composition", "message"} or any(path.target for path in paths):
                    continue  # The index looks at the target and the place of an entry when it collects.
                assert _sorted(mine) == _sorted(theirs), (file.name, param.code)


def _sorted(found: list[Any]) -> list[bytes]:
    return sorted({orjson.dumps(value) for value in found})


def test_it_indexes_every_official_example() -> None:
    for file in _examples():
        resource = orjson.loads(file.read_bytes())
        if "id" in resource:
            entries = extract(resource)
            assert all(-(2**63) <= token < 2**63 for token in entries.tokens)
            assert all(len(lexeme.encode()) <= 2046 for lexeme in entries.strings)


def test_no_two_slots_of_a_type_share_their_letters() -> None:
    for type_ in definitions.load().resources:
        names = {n for slot in slots_of(type_).values() for n in (slot.name, slot.name + TEXT)}
        assert len({letters_of(name) for name in names}) == len(names)


def test_every_parameter_of_every_type_is_answered() -> None:
    refused = {(t, c) for t in definitions.load().resources for c, p in parameters(t).items() if not p.indexed}
    assert {code for _, code in refused} == {"_text", "_content", "_query", "near"}
