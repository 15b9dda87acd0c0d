"""Reads: accounts and what they may be."""
