"""Compiles the official R4 package into the artefact that definitions.load() reads."""
