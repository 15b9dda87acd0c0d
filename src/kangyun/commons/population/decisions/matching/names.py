"""Names as sources spell them: traditional and variant characters, homophones, shape-alikes, pinyin, newborns without a name."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, product
from typing import Any

import msgspec

from kangyun.base import rules
from kangyun.base.text import fold, has_chinese, person_syllables, syllables

_PACKAGE = "kangyun.commons.population"
_NOT_NAME = re.compile(r"[(（\[【].*?(?:[)）\]】]|$)|[0-9]+|[\s·•・‧∙.．。,，、'’`_/\\-]+")
_LATIN_PARTS = re.compile(r"[a-z]+")
# In a word of pinyin, n and g before a vowel begin the next syllable.
_SYLLABLE = re.compile(r"(?:[zcs]h|[bpmfdtnlgkhjqxrzcsyw])?[aeiouv]+(?:ng(?![aeiouv])|n(?![aeiouv]))?")
_HIDDEN = re.compile(r"[*＊×?？�某]")
_CHILD_OF = re.compile(
    r"(?P<parent>.{2,4}?)(?:之(?P<first>[长大次二三小甲乙丙一]?)(?:子|女|男|婴|儿|孩|男婴|女婴|婴儿)(?P<second>[大小甲乙丙一二三]?)"
    r"|之?(?P<third>[大小甲乙丙一二三]?)(?:婴儿|新生儿|宝宝|毛毛|男婴|女婴|bb)(?P<fourth>[大小甲乙丙一二三]?))"
)
_ORDERS = {"长": "1", "大": "1", "甲": "1", "一": "1", "次": "2", "二": "2", "小": "2", "乙": "2", "三": "3", "丙": "3"}
_LONGEST = 40
# Nothing but usual or traditional characters: there is nothing to be taken out.
_HAN = re.compile("[\u4e00-\u9fff]{1,40}")
_READINGS = 8


class Spelling(msgspec.Struct, frozen=True):
    """One name in the forms in which names are compared; all empty when nothing usable was written."""

    name: str = ""
    surname: str = ""  # the sound of the surname, confusable sounds as one
    given: str = ""  # the sound of the rest, likewise
    sounds: tuple[str, ...] = ()
    loose: str = ""
    shape: str = ""
    letters: str = ""  # the letters of the sound in alphabetical order: the same whichever way round a name is written
    han: bool = True
    misread: str = ""  # as `shape`, but of the given name only characters that nobody bears are taken for their look-alikes
    called: str = ""  # the given name in its characters


@dataclass(frozen=True, slots=True)
class ChildOf:
    """A newborn written down by its parent's name: the parent, and the order of birth when it is told."""

    parent: str
    order: str


@cache
def _tables() -> Any:
    return rules.load(_PACKAGE, "matching_names.yaml").value


@cache
def _characters() -> dict[int, str]:
    """Traditional and variant characters -> the usual one."""
    pairs = _tables()["variants"].split()
    return {ord(other): pair[0] for pair in pairs for other in pair[1:]}


@cache
def _shapes() -> dict[int, str]:
    """Characters that are taken for one another by eye -> the first of their group."""
    found: dict[int, str] = {}
    groups: list[str] = _tables()["shapes"].split()
    for group in groups:
        first = found.get(ord(group[0]), group[0])
        for other in group:
            found.setdefault(ord(other), first)
    return found


@cache
def _misreadings() -> dict[int, str]:
    """Characters that nobody bears in the given name -> what they were taken for."""
    strange = {ord(char) for char in _tables()["not_in_names"]}
    return {char: meant for char, meant in _shapes().items() if char in strange and ord(meant) not in strange}


@cache
def _polyphones() -> dict[str, tuple[str, ...]]:
    return {str(char): tuple(str(text).split()) for char, text in _tables()["polyphones"].items()}


@cache
def _nobody() -> re.Pattern[str]:
    return re.compile("|".join(_tables()["nobody"]))


@cache
def _titles() -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(_tables()['titles'])})$")


def plain(text: str) -> str:
    """A Chinese name in usual characters without signs, notes and titles: `張　三（孕）` -> `张三`."""
    bare = text if _HAN.fullmatch(text) else _NOT_NAME.sub("", unicodedata.normalize("NFKC", text[:_LONGEST])).lower()
    bare = bare.translate(_characters())
    short = _titles().sub("", bare)
    return short if len(short) > 1 else bare


def child_of(text: str) -> ChildOf | None:
    """Whose newborn a name says this is: `王芳之次女` -> ChildOf("王芳", "2"), or None."""
    return _read(text)[1]


def spelling(text: str) -> Spelling:
    """The comparable forms of a name; empty for newborns named by a parent, unknown people and hidden names."""
    return _read(text)[0]


@lru_cache(maxsize=16384)
def _read(text: str) -> tuple[Spelling, ChildOf | None]:
    name = plain(text)
    child = _child(name)
    if not text or child or _HIDDEN.search(text) or _nobody().search(text):
        return Spelling(), child
    return (_chinese(name) if has_chinese(text) else _latin(text)), None


def _child(name: str) -> ChildOf | None:
    match = _CHILD_OF.fullmatch(name)
    if match is None:
        return None
    order = next((match[part] for part in ("first", "second", "third", "fourth") if match[part]), "")
    return ChildOf(match["parent"], _ORDERS.get(order, ""))


def _chinese(name: str) -> Spelling:
    if not name:
        return Spelling()
    parts = person_syllables(name)
    loose = [loosely(part) for part in parts]
    size = _surname_size(name)
    return Spelling(
        name=name, surname="".join(loose[:size]), given="".join(loose[size:]), sounds=_sounds(name, parts),
        loose="".join(loose), shape=name.translate(_shapes()), letters="".join(sorted("".join(parts))),
        misread=name[:size].translate(_shapes()) + name[size:].translate(_misreadings()),
        called=name[size:],
    )


def _surname_size(name: str) -> int:
    return 2 if len(name) > 2 and name[:2] in _double_surnames() else 1


@cache
def _double_surnames() -> frozenset[str]:
    return frozenset(_tables()["double_surnames"].split())


def surname_and_given(name: str) -> tuple[str, str]:
    """A plain Chinese name in its two parts: `欧阳娜娜` -> (`欧阳`, `娜娜`)."""
    size = _surname_size(name)
    return name[:size], name[size:]


def _sounds(name: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    """The sounds that a name can have, its usual one first; characters with several readings give several."""
    if len(parts) != len(name):
        return ("".join(parts),)
    if _polyphones().keys().isdisjoint(name):
        return ("".join(parts),)
    readings = [dict.fromkeys((part, *_polyphones().get(char, ()))) for char, part in zip(name, parts, strict=True)]
    # A few are taken and never all of them made: of many such characters in a row there are more than any memory holds.
    whole = dict.fromkeys("".join(choice) for choice in islice(product(*readings), _READINGS))
    return tuple(whole)


def _latin(text: str) -> Spelling:
    parts = _LATIN_PARTS.findall(fold(text[:_LONGEST * 2]))
    if sum(map(len, parts)) < 3:
        return Spelling()
    whole = "".join(parts)
    letters = "".join(sorted(whole))
    return Spelling(
        name=" ".join(sorted(parts)), surname=loosely(parts[0]), given=loosely("".join(parts[1:])), sounds=(),
        loose=whole, shape="", letters=letters, han=False,
    )


@lru_cache(maxsize=4096)
def loosely(syllable: str) -> str:
    """A syllable as many speak it: zh is z, ng is n, l is n: `zhang` -> `zan`."""
    text = re.sub("^(z|c|s)h", r"\1", syllable.replace("v", "u"))
    text = re.sub("(a|e|i)ng$", r"\1n", text)
    return re.sub("^n", "l", text)


def loose_letters(loose: str) -> str:
    """The letters of a loose sound in alphabetical order."""
    return "".join(sorted(loose))


def loose_words(name: str) -> str:
    """The loose sound of a name in Latin letters, like that of the same name in characters: `li xiaoming` -> `lixiaomin`."""
    return _SYLLABLE.sub(lambda found: loosely(found[0]), name).replace(" ", "")


def ordinary_sound(text: str) -> str:
    """The sound of any text in loose syllables, used for places."""
    return "".join(loosely(part) for part in syllables(text))
