"""What is kept of a password."""

from __future__ import annotations

from collections.abc import Callable

from argon2 import PasswordHasher, Type, extract_parameters


def test_a_password_is_dear_to_guess(dear_passwords: Callable[[], PasswordHasher]) -> None:
    asked = extract_parameters(dear_passwords().hash("correct horse battery staple"))
    assert asked.type is Type.ID
    # The least that OWASP's Password Storage Cheat Sheet asks of argon2id.
    assert asked.memory_cost >= 19 * 1024
    assert asked.time_cost >= 2
