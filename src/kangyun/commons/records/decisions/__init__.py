"""Judgements on resources and requests: pure, without clock or database."""
