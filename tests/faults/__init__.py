"""Accidents, made on purpose against the real server: nothing that was acknowledged may be lost."""
