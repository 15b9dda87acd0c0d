"""The type of resource that the text of a reference names."""

from __future__ import annotations

import re

# Relative or absolute, with an optional version: Patient/1, https://x.cn/fhir/Patient/1/_history/2 (FHIR R4, 2.3.0.1).
REFERENCE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#.*)?")


def type_in(text: str) -> str | None:
    """``Patient`` of ``Patient/1``; None for ``urn:uuid:...``, ``#contained`` and everything else."""
    found = REFERENCE.fullmatch(text)
    return found.group(1) if found else None
