"""Ending the platform ends everything: SIGTERM and Ctrl-C leave no process behind and say success."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.serving import Server


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_with_its_database(tmp_path: Path, how: signal.Signals) -> None:
    server = Server(tmp_path / "data")
    server.start(120)
    assert server.postmaster() is not None
    assert server.process is not None
    server.process.send_signal(how)
    assert server.process.wait(60) == 0
    assert server.postmaster() is None, "PostgreSQL has removed its pid file, as it does at the end of an ordered stop"
