"""What a literal reference says by itself: https://hl7.org/fhir/R4/references.html#literal."""

from __future__ import annotations

import re
from dataclasses import dataclass

ID = r"[A-Za-z0-9\-.]{1,64}"
_RELATIVE = re.compile(rf"([A-Z][A-Za-z]+)/({ID})(?:/_history/{ID})?")
_REST = re.compile(rf"[a-z][a-z0-9+.-]*://\S+/([A-Z][A-Za-z]+)/({ID})(?:/_history/{ID})?")
_CONTAINED = re.compile(rf"#(?:{ID})?")
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?\S+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_SPACE = re.compile(r"[\s\x00-\x20]")


@dataclass(frozen=True, slots=True)
class Target:
    """``kind`` is contained, relative, conditional, rest or absolute; ``type`` is known for relative, conditional, rest."""

    kind: str
    type: str | None = None
    id: str | None = None


def read(reference: str) -> Target | None:
    """What a reference's text points to; None when it is malformed."""
    if reference.startswith("#"):
        return Target("contained", None, reference[1:]) if _CONTAINED.fullmatch(reference) else None
    if found := _RELATIVE.fullmatch(reference):
        return Target("relative", found[1], found[2])
    if found := _REST.fullmatch(reference):
        return Target("rest", found[1], found[2])
    if found := _CONDITIONAL.fullmatch(reference):
        return Target("conditional", found[1])
    if _ABSOLUTE.fullmatch(reference) and not _SPACE.search(reference):
        return Target("absolute")
    return None


def allowed(target: Target, types: tuple[str, ...], resources: frozenset[str]) -> bool:
    """Whether the type that a reference shows is among the allowed ones (none given, or Resource: any)."""
    if target.type is None:
        return True
    if target.type not in resources:
        # Foreign servers may have paths that only look like ours; within this server the type must exist.
        return target.kind == "rest"
    return not types or "Resource" in types or target.type in types


def pattern(types: tuple[str, ...], resources: frozenset[str]) -> str:
    """A pattern of the plain correct references to some types; others are left to read() and allowed()."""
    names = sorted(resources) if not types or "Resource" in types else types
    one_of = "|".join(names)
    place = rf"(?:{one_of})/{ID}(?:/_history/{ID})?"
    return rf"^(?:(?:https?://[^\s?#]+/)?{place}|urn:uuid:[0-9A-Fa-f-]{{36}}|#{ID})$"
