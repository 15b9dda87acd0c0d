"""TLS of pages and API, spoken by the real platform on a real socket."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kangyun.base.tls import fingerprint
from tests.security.certificates import Authority
from tests.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


class Encrypted(Server):
    """A platform that speaks TLS with a certificate for localhost; two processes answer."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.identity = self.authority.give("localhost")
        super().__init__(
            folder / "data", tls_certificate=str(self.identity.certificate), tls_key=str(self.identity.key), web_processes="2")

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.file))

    def wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process is None or self.process.poll() is None, self.words()
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=5, verify=self.context).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise AssertionError(self.words())

    def shown(self) -> str:
        """The fingerprint of the certificate that a new connection is shown."""
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        with plain, self.context.wrap_socket(plain, server_hostname="localhost") as line:
            return fingerprint(line.getpeercert(binary_form=True) or b"")


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    running = Encrypted(tmp_path_factory.mktemp("encrypted"))
    running.start(60)
    yield running
    running.stop()


def test_pages_and_api_tell_browsers_to_come_back_encrypted(encrypted: Encrypted) -> None:
    with httpx.Client(base_url=encrypted.url, verify=encrypted.context, timeout=30) as client:
        page, metadata = client.get("/login", headers={"accept": "text/html"}), client.get("/fhir/metadata")
    for answer in (page, metadata):
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert "Secure" in page.headers["set-cookie"]
    assert metadata.json()["implementation"]["url"].startswith("https://localhost")


def test_plain_http_and_old_protocols_get_nothing(encrypted: Encrypted) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://localhost:{encrypted.port}/health/live", timeout=10)
    old = encrypted.context
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{encrypted.url}/health/live", timeout=10, verify=old)


def test_a_new_certificate_is_taken_over_while_a_connection_goes_on(encrypted: Encrypted) -> None:
    with httpx.Client(base_url=encrypted.url, verify=encrypted.context, timeout=30) as client:
        assert client.get("/health/live").status_code == 200
        fresh = encrypted.authority.give("localhost", file="fresh")
        fresh.key.replace(encrypted.identity.key)
        fresh.certificate.replace(encrypted.identity.certificate)
        end = time.monotonic() + 60
        # Both processes show it: several connections one after another.
        while {encrypted.shown() for _ in range(8)} != {fresh.fingerprint}:
            assert time.monotonic() < end, "the new certificate is not shown"
        assert client.get("/health/live").status_code == 200


def test_files_that_do_not_fit_together_are_named_at_the_start(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = authority.give("localhost"), authority.give("elsewhere")
    server = Server(tmp_path / "data", tls_certificate=str(one.certificate), tls_key=str(other.key))
    server.launch()
    assert server.process
    assert server.process.wait(60) != 0
    assert "localhost.crt" in server.words()
    server.stop()
