"""The doctor's workstation: find a resident, see a whole life at a glance."""

from kangyun.base import errors

errors.register("kangyun.portals.clinician")
