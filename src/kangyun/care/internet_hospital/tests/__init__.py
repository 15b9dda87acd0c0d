"""The tests of the internet hospital."""
