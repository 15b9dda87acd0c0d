"""The insurer's core system, and a simulator that speaks its protocol."""
