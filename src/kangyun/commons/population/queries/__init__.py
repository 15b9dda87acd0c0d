"""Reads: whom identifiers belong to, and which Patients are one person."""

from kangyun.commons.population.queries.persons import identities, patients_of, person_of, persons_of
from kangyun.commons.population.queries.placed import members
from kangyun.commons.population.queries.residents import follow, holders, identify, replaced_by

__all__ = ["follow", "holders", "identify", "identities", "members", "patients_of", "person_of", "persons_of", "replaced_by"]
