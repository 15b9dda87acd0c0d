"""The tests of appointments."""
