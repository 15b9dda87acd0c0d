"""``python -m kangyun.base.fhir.compile <package dir> <out>``: write the definitions artefact."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from kangyun.base.fhir import definitions
from kangyun.base.fhir.compile import extensions, search, structures, terminology
from kangyun.base.fhir.compile.source import Package

# A fixed date keeps the artefact identical from build to build.
EPOCH = (1980, 1, 1, 0, 0, 0)


def members(package: Package) -> dict[str, bytes]:
    """The archive's members, name -> msgpack."""
    return {
        "types": definitions.encode(structures.types(package)),
        "search": definitions.encode(search.parameters(package)),
        "extensions": definitions.encode(extensions.extensions(package)),
        "compartment": definitions.encode(search.patient_compartment(package)),
        "codes": definitions.encode(terminology.code_table(package)),
    }


def write(package: Path, out: Path) -> int:
    """Compile the unpacked npm package in ``package`` into ``out``; return the size in bytes."""
    parts = members(Package(package))
    unfinished = out.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.comment = str(definitions.FORMAT).encode()
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED, 9)
    unfinished.replace(out)
    return out.stat().st_size


def main() -> None:
    """Command line entry."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m kangyun.base.fhir.compile <package dir> <out>")
    size = write(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(f"FHIR R4 definitions: {size / 1024:.0f} KB\n")


main()
