"""The words that a deed of the platform reads: names of Parameters, fields of forms, questions in addresses, and values that it compares with.

They are looked up in the source of the module of a route and of its neighbours that help it to read.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

# What a reader of Parameters is called, and the kinds of value that it wants.
KINDS = {
    "text": ["valueString", "valueString", "valueReference"], "texts": ["valueString"], "flag": ["valueBoolean"], "number": ["valueInteger"], "decimal": ["valueDecimal"],
    "reference": ["valueReference"], "resource": ["resource"], "resource_of": ["resource"], "day": ["valueDate"], "time": ["valueString"],
    "codings": ["valueCoding"], "files": ["valueBase64Binary"], "value": ["valueString", "valueInteger", "valueMoney"], "money": ["valueMoney"],
}  # fmt: skip
_READ = re.compile(r"\b(?:\w+\.)?_?(text|texts|flag|number|decimal|reference|resource|resource_of|day|time|codings|files|value|money|each|parts)\((?:\w+, )?\"([A-Za-z][\w-]*)\"")
_NAMED = re.compile(r"\.get\(\"name\"\) == \"([\w-]+)\"")
_FIELD = re.compile(r"(?:form|fields?)(?:\.get|\.getlist)?[(\[]\"([\w-]+)\"|\((?:form|fields), \"([\w-]+)\"|\"([\w-]+)\" in form")
_ASKED = re.compile(r"(?:query_params|said|asked|query)(?:\.get|\.getlist)?[(\[]\"([\w-]+)\"")
_VALUE = re.compile(r"(?:==|!=|in \{|: |, )\s*\"([a-z][a-z_-]{2,20})\"")


def read(endpoint: Callable[..., Any]) -> dict[str, str]:
    """The names of Parameters that a deed reads, with the reader that it uses; of its whole module where the deed leaves it to others."""
    found = {name: reader for reader, name in _READ.findall(inspect.getsource(endpoint))}
    whole = {name: reader for one in _near(endpoint) for reader, name in _READ.findall(one)} | {name: "text" for one in _near(endpoint) for name in _NAMED.findall(one)}
    return whole | found if len(found) < 2 else found


def said(endpoint: Callable[..., Any]) -> list[str]:
    """The fields of forms that the deed or its module reads."""
    own = _first(_FIELD, inspect.getsource(endpoint))
    return sorted({*own, *(name for one in _near(endpoint) for name in _first(_FIELD, one))}) if len(own) < 3 else sorted(own)


def asked(endpoint: Callable[..., Any]) -> list[str]:
    """The questions that the module reads from an address."""
    return sorted({name for one in _near(endpoint)[:1] for name in _first(_ASKED, one)})


def values(endpoint: Callable[..., Any]) -> list[str]:
    """Words that the module compares with or knows."""
    return sorted({name for one in _near(endpoint)[:1] for name in _first(_VALUE, one)})[:60]


def _first(pattern: re.Pattern[str], source: str) -> set[str]:
    return {next(filter(None, match.groups())) for match in pattern.finditer(source)}


@cache
def _near(endpoint: Callable[..., Any]) -> list[str]:
    """The source of the deed's module, and of the modules beside it from which it takes something."""
    module = sys.modules[endpoint.__module__]
    beside = module.__name__.rpartition(".")[0]
    others = [one for one in vars(module).values() if (one if isinstance(one, ModuleType) else inspect.getmodule(one)) is not module]
    names = {one.__name__ if isinstance(one, ModuleType) else getattr(one, "__module__", "") or "" for one in others}
    return [inspect.getsource(module), *(inspect.getsource(sys.modules[name]) for name in sorted(names) if name.startswith(f"{beside}.") and name in sys.modules)]
