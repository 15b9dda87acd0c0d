"""What is received is what is stored: precision, single keys, bounded depth, UTF-8."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kangyun.base import errors
from kangyun.base.errors import Problem
from kangyun.base.fhir import json

NUMBERS = [
    "-0",
    "18446744073709551616",
    "1.50",
    "0.010",
    "-0.0",
    "12345678901234567890",
    "3.14159265358979323846",
    "0.0000001",
    "1e-7",
    "100",
    "-7",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_it_writes_a_number_as_it_was_received(number: str):
    text = f'{{"value":{number}}}'.encode()
    assert json.dumps(json.loads(text)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_it_keeps_every_digit_of_a_decimal(number: Decimal):
    text = f'{{"value": {number:f}}}'.encode()
    assert json.dumps(json.loads(text)) == text.replace(b" ", b"")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_it_reads_what_it_wrote(value: dict[str, object]):
    text = json.dumps(json.loads(json.dumps(value) if _fits(value) else b"{}"))
    assert json.loads(text) == (value if _fits(value) else {})


def _fits(value: object) -> bool:
    """Whether every integer fits 64 bits, which orjson can write."""
    if isinstance(value, dict):
        return all(_fits(v) for v in value.values())
    if isinstance(value, list):
        return all(_fits(v) for v in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


FAULTS = [
    (b'{"a":1,"a":2}', "fhir.json-duplicate"),
    (b'{"a":{"b":1, "b":1}}', "fhir.json-duplicate"),
    (b'{"a":NaN}', "fhir.json-syntax"),
    (b'{"a":1e999}', "fhir.json-number"),
    (b'{"a":1' + b"0" * 5000 + b"}", "fhir.json-number"),
    (b'{"a":0.' + b"1" * 5000 + b"}", "fhir.json-number"),
    (b'{"a":' * 100_000, "fhir.json-depth"),
    (b"[" * 100_000, "fhir.json-depth"),
    (b'{"a":' * 65 + b"1" + b"}" * 65, "fhir.json-depth"),
    (b'{"a":' * 300 + b"1" + b"}" * 300, "fhir.json-depth"),
    (b'{"a":1.50,"b":' + b"[" * 100 + b"]" * 100 + b"}", "fhir.json-depth"),
    (b'{"a":12345678901234567890,"b":' + b"[" * 100 + b"]" * 100 + b"}", "fhir.json-depth"),
    (b'{"a":12345678901234567890,"b":' + b"[" * 900 + b"]" * 900 + b"}", "fhir.json-depth"),
    (b"[]", "fhir.json-object"),
    (b'"text"', "fhir.json-object"),
    (b"", "fhir.json-empty"),
    (b" \n", "fhir.json-empty"),
    (b'{"a":1', "fhir.json-syntax"),
    (b'{"a":"\x00"}', "fhir.json-syntax"),
    (b'{"a":"\\ud800"}', "fhir.json-syntax"),
    ('{"a":"康"}'.encode("utf-16"), "fhir.json-encoding"),
    ('{"a":"康"}'.encode("utf-16-le"), "fhir.json-encoding"),
    ('{"a":"康云"}'.encode("gbk"), "fhir.json-encoding"),
    (b'{"a":"\xff\xfe\xfd"}', "fhir.json-encoding"),
]


@pytest.mark.parametrize(("data", "key"), FAULTS, ids=range(len(FAULTS)))
def test_it_refuses_with_a_named_fault(data: bytes, key: str):
    with pytest.raises(Problem) as refused:
        json.loads(data)
    [issue] = refused.value.issues
    assert (refused.value.status, issue.key) == (400, key)
    assert errors.text(issue, "zh") != errors.text(issue, "en") != key


LAYOUTS = [
    b'{"a": 1.50, "b": {"c": [1.0, {"d": "x"}]}}',
    b'{"a" : 1.50,"b":{"c":[1.0,{"d":"x"}]}}',
    b'{\n  "a": 1.50,\n  "b": {"c": [1.0, {"d": "\\u0078"}]}\n}',
]


@pytest.mark.parametrize("text", LAYOUTS)
def test_white_space_and_escapes_change_nothing(text: bytes):
    assert json.dumps(json.loads(text)) == b'{"a":1.50,"b":{"c":[1.0,{"d":"x"}]}}'


@pytest.mark.parametrize(
    "text", ['{"a": "\\":\\":", "a": 1}', '{"a": "x\\\\", "b": {"c": 1, "c": 2}}', '{"a":{}, "a":[]}']
)
def test_a_repeated_key_is_found_beside_awkward_strings(text: str):
    with pytest.raises(Problem) as refused:
        json.loads(text.encode())
    assert refused.value.issues[0].key == "fhir.json-duplicate"


def test_it_accepts_a_byte_order_mark():
    assert json.loads(b'\xef\xbb\xbf{"a":1.50}') == {"a": Decimal("1.50")}


def test_depth_is_refused_with_bounded_memory():
    data = b'{"a":[' * 1_000_000
    tracemalloc.start()
    with pytest.raises(Problem):
        json.loads(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(data)


def test_a_long_integer_in_a_large_object_is_kept():
    data = b'{"a":[' + b",".join([b"{}"] * 100) + b'],"b":12345678901234567890}'
    assert json.dumps(json.loads(data)) == data


def test_sixty_four_levels_are_accepted():
    data = b'{"a":' * 64 + b"1" + b"}" * 64
    assert json.dumps(json.loads(data)) == data
