"""The tests of payments."""
