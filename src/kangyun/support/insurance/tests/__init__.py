"""The tests of insurance."""
