"""Values of token, reference and uri parameters -> the texts under which the index holds them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from kangyun.base.fhir import definitions
from kangyun.commons.records.decisions.index import blind
from kangyun.commons.records.decisions.index.parameters import Parameter
from kangyun.commons.records.decisions.index.references import literal
from kangyun.commons.records.decisions.index.slots import PRIMITIVE_TOKENS, Slot, Use, seed_of, systems_of
from kangyun.commons.records.decisions.index.tokens import IDENTIFIER, OF_TYPE, contact_text
from kangyun.commons.records.model import hash64, is_type
from kangyun.commons.records.queries.search.conditions import Condition, HasToken, Nothing
from kangyun.commons.records.queries.search.query import compartment_types
from kangyun.commons.records.queries.search.refusals import bad_modifier, bad_value, too_costly
from kangyun.commons.records.queries.search.syntax import split, unescape

BOOLEANS = "http://terminology.hl7.org/CodeSystem/special-values"
_OLD_BOOLEANS = "http://hl7.org/fhir/special-values"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_MOST_CODES = 5000
# Beside what belongs to a resident: of these somebody has a few, whoever it is.
_FEW = {"PractitionerRole.practitioner", "HealthcareService.providedBy"}


def tokens(hashed: Iterator[int]) -> Condition:
    """A condition of the tokens; Nothing without any."""
    found = tuple(dict.fromkeys(hashed))
    return HasToken(found) if found else Nothing()


def token(parameter: Parameter, name: str, text: str) -> Condition:
    """One value of a token parameter."""
    if all(use.slot.type == "boolean" for use in parameter.uses) and text.rpartition("|")[2] not in {"true", "false"}:
        raise bad_value(name)
    return tokens(number ^ use.slot.seed for use in parameter.uses for t in texts(use, name, text) for number in _numbers(use.slot, text, t))


def _numbers(slot: Slot, asked: str, text: str) -> tuple[int, ...]:
    """Under which numbers a text may stand: a value that tells who somebody is under its keyed one, a mere system under its own."""
    system_only = asked.endswith("|") and not asked.endswith("\\|")
    return blind.numbers(text) if slot.telling and not system_only else (hash64(text),)


def texts(use: Use, name: str, text: str) -> list[str]:
    """The texts of one value `code`, `system|code`, `|code` or `system|` in one slot; none: it cannot be there."""
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) > 2 or not any(parts):
        raise bad_value(name)
    system, code = (None, parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    slot = use.slot
    if slot.type in PRIMITIVE_TOKENS:
        return _primitive(slot, system, code)
    if slot.type == "ContactPoint":
        return _contact(use, system, contact_text(code))
    return [code if system is None else f"{system}|{code}"]


def _primitive(slot: Slot, system: str | None, code: str) -> list[str]:
    if slot.type == "boolean":
        return [code] if system in {None, "", BOOLEANS, _OLD_BOOLEANS} else []
    if not system:
        return [code]
    known = systems_of(slot)
    if code:
        return [code] if system in known.get(code, ()) else []
    return [known_code for known_code, systems in known.items() if system in systems]


def _contact(use: Use, system: str | None, value: str) -> list[str]:
    if use.system is None:
        return [value if system is None else f"{system}|{value}"]
    return [f"{use.system}|{value}"] if system in {None, use.system} else []


def of_type(parameter: Parameter, name: str, text: str) -> Condition:
    """`system|code|value` of an Identifier's type and value."""
    parts = [unescape(part) for part in split(text, "|")]
    slots = [use.slot for use in parameter.uses if use.slot.type == "Identifier"]
    if not slots:
        raise bad_modifier(name, "of-type")
    if len(parts) != 3 or not all(parts):
        raise bad_value(name)
    found = blind.numbers("|".join(parts))
    return tokens(number ^ seed_of(slot.name + OF_TYPE) for slot in slots for number in found)


def in_value_set(parameter: Parameter, name: str, text: str) -> Condition:
    """Any code of a value set that R4 defines and that can be enumerated."""
    codes = definitions.load().codes(unescape(text))
    if codes is None:
        raise bad_value(name)
    if len(codes) > _MOST_CODES:
        raise too_costly(name)
    return tokens(number for use in parameter.uses for number in _members(use.slot, codes))


def _members(slot: Slot, codes: frozenset[tuple[str, str]]) -> Iterator[int]:
    if slot.type in PRIMITIVE_TOKENS:
        known = systems_of(slot)
        return (hash64(code) ^ slot.seed for system, code in codes if system in known.get(code, ()))
    return (hash64(f"{system}|{code}") ^ slot.seed for system, code in codes)


def reference(parameter: Parameter, name: str, text: str, wanted: str | None) -> Condition:
    """One value of a reference parameter; `wanted` is the type that a modifier asks for."""
    value = unescape(text)
    found = [(use, t) for use in parameter.uses for t in _references(use, parameter, name, value, wanted)]
    if not found:
        return Nothing()
    numbers = dict.fromkeys(hash64(t) ^ use.slot.seed for use, t in found)
    return HasToken(tuple(numbers), all(use.slot.name in _FEW or t.partition("/")[0] in compartment_types() for use, t in found))


def _references(use: Use, parameter: Parameter, name: str, value: str, wanted: str | None) -> list[str]:
    allowed = targets(use, parameter)
    if wanted:
        allowed = tuple(type_ for type_ in allowed if type_ == wanted)
    type_, found, versioned = literal(value)
    if type_:
        return [versioned or found] if type_ in allowed or use.slot.type != "Reference" else []
    if use.slot.type in {"canonical", "uri"}:
        return [value]
    if _ID.fullmatch(value):
        return [f"{target}/{value}" for target in allowed]
    if ":" not in value and not value.startswith("#"):
        raise bad_value(name)
    return [value] if not use.target and not wanted else _absolute(value, allowed)


def _absolute(value: str, allowed: tuple[str, ...]) -> list[str]:
    parts = value.split("/")
    return [value] if any(part in allowed for part in parts[-4:]) else []


def targets(use: Use, parameter: Parameter) -> tuple[str, ...]:
    """The resource types that a reference in this slot may name."""
    if use.target:
        return (use.target,)
    element = use.slot.path.element
    stated = [target for ref in element.types for target in ref.targets] if element else []
    narrowed = [type_ for type_ in parameter.targets if not stated or type_ in stated]
    return tuple(type_ for type_ in narrowed or stated or parameter.targets if is_type(type_)) or _every_type()


@cache
def _every_type() -> tuple[str, ...]:
    return tuple(sorted(definitions.load().resources))


def logical(parameter: Parameter, name: str, text: str) -> Condition:
    """`system|value` of Reference.identifier."""
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) > 2 or not any(parts):
        raise bad_value(name)
    slots = [use.slot for use in parameter.uses if use.slot.type == "Reference"]
    system_only = len(parts) == 2 and not parts[1]
    found = (hash64("|".join(parts)),) if system_only else blind.numbers("|".join(parts))
    return tokens(number ^ seed_of(slot.name + IDENTIFIER) for slot in slots for number in found)


def uri(parameter: Parameter, text: str) -> Condition:
    """The same address, sign for sign."""
    return tokens(hash64(unescape(text)) ^ use.slot.seed for use in parameter.uses)


def uri_above(parameter: Parameter, name: str, text: str) -> Condition:
    """Addresses that the given one is below of; only for those with a path, not for URNs."""
    value = web_address(name, text)
    head, _, path = value.partition("://")
    steps = path.split("/")
    shorter = [f"{head}://{'/'.join(steps[:count])}" for count in range(1, len(steps) + 1)]
    return tokens(
        hash64(found) ^ use.slot.seed for use in parameter.uses for cut in shorter for found in (cut, cut + "/")
    )


def web_address(name: str, text: str) -> str:
    """The address without the last slash; Problem 400 for one that has no path to go up or down."""
    value = unescape(text)
    if "://" not in value:
        raise bad_value(name)
    return value.rstrip("/")
