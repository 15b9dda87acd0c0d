"""The options of `kangyun client`, apart from its work: `kangyun --help` must not load the platform."""

from __future__ import annotations

import argparse
from pathlib import Path


def client_options(command: argparse.ArgumentParser) -> None:
    """The options of `kangyun client`."""
    acts = command.add_subparsers(required=True, dest="act", metavar="ACT")
    adding = acts.add_parser("add", help="register an app or a service; its secret is printed this once")
    adding.add_argument("name", help="what people see, such as 'Bed board'")
    adding.add_argument("--name-en", help="the same in English")
    adding.add_argument("--scope", required=True, help="the most it may be granted, such as 'system/*.cruds' or 'launch/patient patient/*.rs openid fhirUser'")
    adding.add_argument("--kind", choices=("public", "confidential", "backend"), help="backend, or with --redirect confidential; public for apps that keep no secret")
    adding.add_argument("--redirect", action="append", default=[], metavar="URI", help="where people are sent back to, exactly; may be repeated")
    adding.add_argument("--launch", metavar="URI", help="where the app is opened from a resident's page")
    adding.add_argument("--jwks", type=Path, metavar="FILE", help="its public keys (JWK Set); it then signs instead of having a secret")
    adding.add_argument("--jwks-uri", metavar="URI", help="where its public keys are fetched")
    adding.add_argument("--role", default="integration", help="as what a service acts for itself (default integration)")
    adding.add_argument("--institution", metavar="ID", help="for which institution, the id of an Organization")
    adding.add_argument("--exchange", action="store_true", help="it may exchange its callers' tokens for narrower ones")
    listing = acts.add_parser("list", help="list apps and services, without their secrets")
    ending = acts.add_parser("revoke", help="shut one out; its tokens end at once")
    ending.add_argument("id", help="the client_id")
    changing = acts.add_parser("rotate", help="a new secret instead of the old one, whose tokens end")
    changing.add_argument("id", help="the client_id")
    for act in (adding, listing, ending, changing):
        act.add_argument("--data", type=Path, default=argparse.SUPPRESS, help="data folder (default ./data)")
        act.add_argument("--json", action="store_true", help="print JSON")
