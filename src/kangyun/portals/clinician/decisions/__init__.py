"""From FHIR resources to what a doctor reads; pure, with the source of every line."""
