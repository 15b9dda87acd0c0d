"""The resident's own pages, made for a phone: my card, my family's cards, what they were used for, my record."""

from kangyun.base import errors

errors.register("kangyun.portals.resident")
