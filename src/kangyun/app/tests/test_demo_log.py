"""What a newcomer sees on the terminal of the demonstration."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import structlog, subprocess, sys
from pathlib import Path
from kangyun.base import logs
from kangyun.app.demo import calm
from kangyun.base.settings import Settings
logs.set_up()
with calm(Settings(data=Path(sys.argv[1]))) as log:
    structlog.get_logger().info("exchange.received", count=3)
    subprocess.run([sys.executable, "-c", "import sys; print('a child says', file=sys.stderr)"])
    print(log)
print("the end", file=sys.stderr)
"""


def test_on_a_terminal_the_log_goes_to_a_file_and_an_error_at_the_end_to_the_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    told = subprocess.run([sys.executable, "-c", _PROGRAM, str(tmp_path)], stderr=theirs, stdout=subprocess.PIPE, text=True, check=True).stdout
    os.close(theirs)
    assert os.read(ours, 10_000).decode().strip() == "the end"
    os.close(ours)
    log = (tmp_path / "demo.log").read_text()
    assert told.strip() == str(tmp_path / "demo.log")
    assert '"event":"exchange.received"' in log
    assert "a child says" in log


def test_where_nobody_looks_the_log_stays_on_standard_error(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "standard error"
    assert "exchange.received" in ran.stderr
    assert "a child says" in ran.stderr
    assert not (tmp_path / "demo.log").exists()
