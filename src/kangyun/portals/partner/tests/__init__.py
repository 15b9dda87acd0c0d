"""The tests of partner."""
