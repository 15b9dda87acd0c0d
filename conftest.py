"""Makes the shared fixtures of tests/conftest.py available to the tests that live inside the rooms."""

from tests.conftest import *  # noqa: F403
