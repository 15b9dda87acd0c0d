"""What lies outside of the platform in a demonstration, a journey or a benchmark: telephones, payment channels, the insurer."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kangyun.base.keys import open_keys
from kangyun.base.settings import Settings
from kangyun.base.simulators import listening
from kangyun.commons.access.gateways import sms_simulator
from kangyun.support.insurance.gateways import insurer_simulator
from kangyun.support.insurance.gateways.insurer import KEY, written
from kangyun.support.payments.gateways import simulated
from kangyun.support.payments.gateways import simulator as channels_simulator

_PHONES, _BANK, _INSURER = 8090, 8091, 8092


@dataclass(slots=True)
class Around:
    """The simulators, and the settings by which a platform finds them; addresses without a slash at the end."""

    phones: sms_simulator.Simulator
    channels: channels_simulator.Simulator
    insurer: insurer_simulator.Simulator
    phones_url: str = ""
    settings: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def bank_url(self) -> str:
        """Where payers' phones show what is to be paid."""
        return self.channels.url.rstrip("/")


@contextmanager
def running(settings: Settings, *, usual_ports: bool = False) -> Generator[Around]:
    """Serve all of them on loopback until the block ends; keys that both sides need lie in the data folder."""
    folder = Path(settings.data).parent / f"{Path(settings.data).name}-outside"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sms_key = _secret(folder / "telephones.key")
    phones = sms_simulator.Simulator(sms_key.read_bytes())
    insurer = insurer_simulator.Simulator(open_keys(settings).public(KEY)[0])
    with ExitStack() as stack:
        insurer_simulator.bring(insurer, books := folder / "insurer-books.json")
        stack.callback(insurer_simulator.keep, insurer, books)
        phones_url = stack.enter_context(listening(phones.app, free("127.0.0.1", _PHONES) if usual_ports else 0))
        channels = stack.enter_context(simulated.running(folder / "channels", port=free("127.0.0.1", _BANK) if usual_ports else 0))
        insurer_url = stack.enter_context(listening(insurer.app, free("127.0.0.1", _INSURER) if usual_ports else 0))
        key = folder / "insurer.jwk"
        key.write_bytes(written(insurer.key))
        told = {"sms_url": phones_url, "sms_key_file": str(sms_key), "payments_channels": str(folder / "channels"),
                "insurer_url": f"{insurer_url}/", "insurer_key_file": str(key)}
        yield Around(phones, channels, insurer, phones_url, told)


def _secret(path: Path) -> Path:
    """A file with a key that the platform shares with a simulator, made once."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), "utf-8")
    return path


def free(host: str, port: int) -> int:
    """The wanted port, or the next one that nobody uses. Raises OSError when there is none nearby."""
    for candidate in range(port, port + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            return candidate
    raise OSError(f"no free port from {port} on")
