"""Institutions: how a hospital or a clinic moves in, and what it is to the record."""

from kangyun.base import errors
from kangyun.support.institutions.actions import add, change, found_by_code, guard, named
from kangyun.support.institutions.model import CODE_SYSTEM, Institution

errors.register("kangyun.support.institutions")

__all__ = ["CODE_SYSTEM", "Institution", "add", "change", "found_by_code", "guard", "named"]
