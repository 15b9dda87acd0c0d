"""Judgements about what a resident sees: the record as a plain list of what happened."""
