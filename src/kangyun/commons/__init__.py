"""The commons: one record, one gate, one population, one exchange."""
