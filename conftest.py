"""Makes the shared fixtures of tests/conftest.py available to the tests that live inside the rooms."""

import pytest
from tests.conftest import *  # noqa: F403


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what a second try would otherwise hide: how the first one failed."""
    for first in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"first try of {first.nodeid}", sep="_")
        terminalreporter.write_line(first.longreprtext[-4000:])
