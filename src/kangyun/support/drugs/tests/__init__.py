"""The tests of drugs."""
