"""Kangyun 康云: an open regional health cloud."""
