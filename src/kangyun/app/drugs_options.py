"""The options of `kangyun drugs`, apart from its work: `kangyun --help` must not load the platform."""

from __future__ import annotations

import argparse
from pathlib import Path


def drugs_options(command: argparse.ArgumentParser) -> None:
    """The options of `kangyun drugs`."""
    acts = command.add_subparsers(required=True, dest="act", metavar="ACT")
    loading = acts.add_parser("load", help="take a CSV or XLSX as the region's own list of drugs; a wrong row changes nothing")
    loading.add_argument("file", type=Path, help="first row: headings such as code, zh, insurance_code, ins, price")
    publishing = acts.add_parser("publish", help="write the catalogue as Medication and MedicationKnowledge; what is there already is left")
    finding = acts.add_parser("find", help="drugs by name, pinyin or initials")
    finding.add_argument("text", help="such as 氨氯地平, alodiping, aldp")
    for act in (loading, publishing, finding):
        act.add_argument("--data", type=Path, default=argparse.SUPPRESS, help="data folder (default ./data)")
