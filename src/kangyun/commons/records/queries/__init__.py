"""Reading the store: one resource, one version, histories, and the search."""
