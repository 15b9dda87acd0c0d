from __future__ import annotations

import pytest

from kangyun.base import rules
from kangyun.commons.exchange.decisions import check_example

PACKAGE = "kangyun.commons.exchange"
EXAMPLES = [(name, n) for name in rules.names(PACKAGE) for n in range(len(rules.load(PACKAGE, name).examples))]


@pytest.mark.parametrize(("name", "number"), EXAMPLES)
def test_the_worked_examples_of_the_rules(name: str, number: int):
    rule = rules.load(PACKAGE, name)
    example = rule.examples[number]
    assert check_example(rule, example.given) == example.expect
