"""Rule files by which a platform knows the institutions of a city: names, and the systems of their bare numbers."""

from __future__ import annotations

from pathlib import Path

import yaml

from yunzhou import institutions
from yunzhou.city import City
from yunzhou.institutions import NATIONAL_ID, Institution
from yunzhou.truth import urn

# Identifier types of HL7 table 0203 and the kind of number that each means.
TYPES = {"MR": "", "VN": "visit", "PLAC": "order", "FILL": "report", "STAFF": "staff"}


def write(city: City, folder: Path) -> int:
    """Write `<institution>.yaml` for every institution of a city but the first two, whose files come with the platform; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = [key for key in institutions.keys(city.region) if key > 2]
    for key in keys:
        house = institutions.institution(key)
        (folder / f"{house.mnemonic.lower()}.yaml").write_text(rule(house), encoding="utf-8")
    return len(keys)


def rule(house: Institution) -> str:
    """Return the rule file of an institution."""
    systems = {kind: urn(house.system(number)) if number else urn(house.oid) for kind, number in TYPES.items()}
    systems[f"99{house.mnemonic}"] = urn(house.system("item"))
    body = {
        "rule": f"exchange.senders.{house.mnemonic.lower()}",
        "title": {"zh": house.name, "en": house.english},
        "source": [{"title": "The simulated city, src/yunzhou/README.md"}],
        "certainty": "checked",
        "in_force": [{"from": "2026-11-01"}],
        "value": {"key": house.mnemonic, "name": house.name, "language": "zh", "authorities": systems},
        "examples": [{"given": {"identifier": "990121195603040423"}, "expect": urn(NATIONAL_ID)}],
    }
    return yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=160).replace("'2026-11-01'", "2026-11-01")
