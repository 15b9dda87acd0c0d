"""Tests of the simulated city."""
