"""The pages of partners: a small pharmacy's counter and a courier's phone."""

from kangyun.base import errors

errors.register("kangyun.portals.partner")
