"""FHIR R4: definitions, JSON, FHIRPath and validation. This is the front door of the folder."""
