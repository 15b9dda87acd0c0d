"""The options of `kangyun user`, apart from its work: `kangyun --help` must not load the platform."""

from __future__ import annotations

import argparse
from pathlib import Path


def user_options(command: argparse.ArgumentParser) -> None:
    """The options of `kangyun user`."""
    acts = command.add_subparsers(required=True, dest="act", metavar="ACT")
    adding = acts.add_parser("add", help="make an account of staff and print a one-time link to choose its password")
    adding.add_argument("--password-stdin", action="store_true", help="read the password from standard input; no link is needed")
    adding.add_argument("--totp-stdin", action="store_true", help="read the secret of the authenticator app (base32) from the next line")
    granting = acts.add_parser("grant", help="give somebody another role")
    taking = acts.add_parser("withdraw", help="take roles back; sessions in them end at once")
    resetting = acts.add_parser("reset", help="print a one-time link to choose another password; sessions end")
    resetting.add_argument("--second", action="store_true", help="the second factor too, with the password")
    locking = acts.add_parser("lock", help="nobody gets in, and who is in is out at once")
    opening = acts.add_parser("unlock", help="open it again and forget its failures")
    listing = acts.add_parser("list", help="list staff, roles and whether they have a second factor")
    for act in (adding, granting, taking, resetting, locking, opening):
        act.add_argument("name", help="user name")
    for act in (adding, granting):
        act.add_argument("--role", required=True, help="a role of staff, such as hospital_doctor or institution_admin")
        act.add_argument("--practitioner", metavar="ID", help="which Practitioner the person is")
    taking.add_argument("--role", help="only this one")
    for act in (adding, granting, taking, listing):
        act.add_argument("--institution", metavar="ID", help="at which institution, the id of an Organization; without: the platform")
    for act in (adding, granting, taking, resetting, locking, opening, listing):
        act.add_argument("--data", type=Path, default=argparse.SUPPRESS, help="data folder (default ./data)")
        act.add_argument("--json", action="store_true", help="print JSON")


def directory_options(command: argparse.ArgumentParser) -> None:
    """The options of `kangyun directory`."""
    acts = command.add_subparsers(required=True, dest="act", metavar="ACT")
    adding = acts.add_parser("add", help="let staff of an institution log in at its OpenID Connect provider; a secret comes from standard input")
    adding.add_argument("id", help="short name of ours, which stands in addresses")
    adding.add_argument("--institution", required=True, metavar="ID", help="whose members it vouches for")
    adding.add_argument("--title", required=True, help="what people see")
    adding.add_argument("--issuer", required=True, metavar="URL")
    adding.add_argument("--client-id", required=True, dest="client", help="what the provider calls us")
    adding.add_argument("--claim", default="preferred_username", help="claim that is the user name here (default preferred_username)")
    adding.add_argument("--second", action="store_true", help="it asks for a second factor itself")
    removing = acts.add_parser("remove", help="let nobody in by it any more")
    removing.add_argument("id")
    listing = acts.add_parser("list", help="list them")
    for act in (adding, removing, listing):
        act.add_argument("--data", type=Path, default=argparse.SUPPRESS, help="data folder (default ./data)")
        act.add_argument("--json", action="store_true", help="print JSON")
