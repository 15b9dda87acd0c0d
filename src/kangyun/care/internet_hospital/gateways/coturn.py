"""coturn, the TURN server through which media go that find no direct way: started for the demonstration and the tests.

A region runs its own, as docs/how-to/video.md tells. This one listens on this machine alone, takes only credentials that
we give out (use-auth-secret), and relays to nobody but this machine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_ADDRESS = "127.0.0.1"
_START_SECONDS = 10.0
_STUN_REQUEST = bytes.fromhex("000100002112a442") + b"kangyun-turn"
_CONFIGURATION = """
listening-ip={address}
relay-ip={address}
listening-port={port}
min-port={first}
max-port={last}
use-auth-secret
static-auth-secret={secret}
realm=kangyun
allow-loopback-peers
user-quota=20
total-quota=200
stale-nonce=600
no-tls
no-dtls
no-cli
no-software-attribute
simple-log
log-file={folder}/turn.log
pidfile={folder}/turn.pid
userdb={folder}/turn.db
"""


@dataclass(frozen=True, slots=True)
class Relay:
    """A running TURN server: its addresses for the setting turn_url, and the file with its secret for turn_key_file."""

    url: str
    key_file: Path
    process: int


def program() -> Path | None:
    """The coturn of this machine, or the one that tools/turn.py has unpacked; None where there is none."""
    found = shutil.which("turnserver")
    own = Path(sys.prefix) / "coturn" / "usr" / "bin" / "turnserver"
    return Path(found) if found else own if own.exists() else None


@contextmanager
def running(ports: tuple[int, int] = (49160, 49260)) -> Generator[Relay | None]:
    """Run coturn until the block ends; gives None where there is none, or it does not start. ports: of the relay."""
    found = program()
    if found is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="kangyun-turn-") as folder:
        process, relay = _start(found, Path(folder), ports)
        try:
            yield relay if _answers(process, int(relay.url.split(":")[2].split("?")[0])) else None
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def _start(found: Path, folder: Path, ports: tuple[int, int]) -> tuple[subprocess.Popen[bytes], Relay]:
    key, port = folder / "turn.key", _free()
    key.touch(mode=0o600)
    key.write_text(secrets.token_urlsafe(32), "utf-8")
    settings = folder / "turn.conf"
    settings.touch(mode=0o600)
    settings.write_text(_CONFIGURATION.format(
        address=_ADDRESS, port=port, first=ports[0], last=ports[1], secret=key.read_text("utf-8"), folder=folder), "utf-8")
    libraries = ":".join(str(path) for path in found.parents[1].glob("lib/*") if path.is_dir())
    environment = os.environ | ({"LD_LIBRARY_PATH": libraries} if found.is_relative_to(sys.prefix) else {})
    process = subprocess.Popen(
        [found, "-c", settings], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return process, Relay(f"turn:{_ADDRESS}:{port}?transport=udp,turn:{_ADDRESS}:{port}?transport=tcp", key, process.pid)


def _free() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((_ADDRESS, 0))
        return probe.getsockname()[1]


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Ask what any STUN client asks (RFC 8489 Binding) until it answers."""
    end = time.monotonic() + _START_SECONDS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        while time.monotonic() < end and process.poll() is None:
            with suppress(OSError):
                probe.sendto(_STUN_REQUEST, (_ADDRESS, port))
                if probe.recv(200)[:2] == b"\x01\x01":
                    return True
    return False
