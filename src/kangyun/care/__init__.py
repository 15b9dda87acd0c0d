"""The kinds of care that people come for."""
