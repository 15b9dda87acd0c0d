"""Reads the files of the official package."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]
CANONICAL = "http://hl7.org/fhir/StructureDefinition/"


class Package:
    """An unpacked npm package of FHIR resources, one JSON file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> Json:
        """One file, e.g. ``StructureDefinition-Patient.json``."""
        return orjson.loads((self.folder / name).read_bytes())

    def all(self, resource_type: str) -> list[Json]:
        """Every resource of a type, in the order of the file names."""
        return [orjson.loads(f.read_bytes()) for f in sorted(self.folder.glob(f"{resource_type}-*.json"))]

    def bundle(self, name: str) -> list[Json]:
        """The resources inside ``Bundle-<name>.json``."""
        return [entry["resource"] for entry in self.read(f"Bundle-{name}.json")["entry"]]

    @functools.cached_property
    def structures(self) -> list[Json]:
        """All StructureDefinitions."""
        return self.all("StructureDefinition")


def type_name(profile: str) -> str:
    """``http://hl7.org/fhir/StructureDefinition/Patient`` -> ``Patient``."""
    return profile.rsplit("/", 1)[-1]
