"""The FHIR R4 REST API: what machines may ask of the record. Each interaction is one function of one file."""

from kangyun.commons.records.api.operations import offered
from kangyun.commons.records.api.routing import routes

__all__ = ["offered", "routes"]
