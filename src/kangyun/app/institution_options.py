"""The options of `kangyun institution`, apart from its work: `kangyun --help` must not load the platform."""

from __future__ import annotations

import argparse


def institution_options(parser: argparse.ArgumentParser) -> None:
    """What `kangyun institution` takes."""
    parser.add_argument("act", choices=("add", "list"))
    parser.add_argument("name", nargs="?", default="", help="name in Chinese; of list: what the name contains")
    parser.add_argument("--code", default="", help="unified social credit code, 18 signs (a village clinic may have none)")
    parser.add_argument("--kind", default="hospital", help="hospital, township_hospital, village_clinic, pharmacy, ... (default hospital)")
    parser.add_argument("--parent", default="", metavar="ID", help="the institution that it is part of")
    parser.add_argument("--english", default="", metavar="NAME")
    parser.add_argument("--address", default="")
    parser.add_argument("--phone", default="")
    parser.add_argument("--sender", default="", help="name by which its system sends messages (MSH-4), if it has one")
    parser.add_argument("--identifier", default="", metavar="SYSTEM|VALUE", help="number by which its systems name it in FHIR, if they do")
    parser.add_argument("--admin", default="", metavar="USER", help="user name of its first administrator; prints the invitation")
    parser.add_argument("--json", action="store_true", help="print as JSON")
