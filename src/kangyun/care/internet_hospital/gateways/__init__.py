"""Outside programs that calls need."""
