from __future__ import annotations

import pytest

from kangyun.base import rules
from kangyun.commons.exchange.decisions import check_example

PACKAGE = "kangyun.commons.exchange"
# Rules that name a judge of their own are run by tests/house/test_rules.py.
OWN = [name for name in rules.names(PACKAGE) if rules.load(PACKAGE, name).judge is None]
EXAMPLES = [(name, n) for name in OWN for n in range(len(rules.load(PACKAGE, name).examples))]


@pytest.mark.parametrize(("name", "number"), EXAMPLES)
def test_the_worked_examples_of_the_rules(name: str, number: int):
    rule = rules.load(PACKAGE, name)
    example = rule.examples[number]
    assert check_example(rule, example.given) == example.expect
