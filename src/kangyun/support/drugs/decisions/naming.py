"""The name of a substance inside a generic name: without salt, form and signs."""

from __future__ import annotations

from functools import lru_cache

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.diagnoses import PACKAGE


@lru_cache(maxsize=4096)
def cores(zh: str, en: str) -> tuple[str, ...]:
    """The substance in a Chinese and an English name, small letters; names too short to be told from others are left out."""
    said = rules.load(PACKAGE, "names.yaml").map
    english = en.partition(" ")[0].casefold()
    found = [core(zh)] + [english] * (len(english) >= said["english_shortest"] and english not in said["english_never"])
    return tuple(one for one in found if len(one) >= said["shortest"])


def core(zh: str) -> str:
    """The substance in a Chinese generic name: 苯磺酸氨氯地平片 -> 氨氯地平."""
    said = rules.load(PACKAGE, "names.yaml").map
    left = zh.partition("（")[0]
    for word in said["before"]:
        left = left.removeprefix(word) if len(left) > len(word) else left
    for _ in range(2):
        left = next((left.removesuffix(word) for word in said["after"] if left.endswith(word) and len(left) > len(word)), left)
    return left


def check_example(rule: Rule, given: str) -> str:
    """The substance in a name."""
    del rule
    return core(given)
