"""Population: who is who. Residents are found by exact identifiers, registered once, and merged."""
