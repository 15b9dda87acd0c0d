"""TLS of the doors that we open: from PEM files, renewed while running when the files change."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import structlog

log = structlog.get_logger()

_LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Papers:
    """PEM files: the certificate chain, its private key, and who vouches for clients (empty: clients show nothing)."""

    certificate: str
    key: str = ""
    authorities: str = ""

    def context(self) -> ssl.SSLContext:
        """A server's context, TLS 1.2 or newer; with authorities, clients must show a certificate that they vouch for.

        A certificate in the file of authorities vouches for itself. Raises ValueError that names the file at fault.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.put_into(context)
        if self.authorities:
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        return context

    def put_into(self, context: ssl.SSLContext) -> None:
        """Let the context use the files as they are now; connections that are open keep what they have."""
        try:
            context.load_cert_chain(self.certificate, self.key or None)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"cannot use {self.certificate} with {self.key or self.certificate}: {_words(error)}") from error
        if self.authorities:
            try:
                context.load_verify_locations(self.authorities)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"cannot use {self.authorities}: {_words(error)}") from error

    def state(self) -> tuple[tuple[str, int, int], ...]:
        """What changes when one of the files does."""
        found = [Path(name).stat() for name in (self.certificate, self.key, self.authorities) if name]
        return tuple((str(one.st_ino), one.st_mtime_ns, one.st_size) for one in found)


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate in DER, in hexadecimal digits."""
    return sha256(certificate).hexdigest()


def _words(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__


async def renew(context: ssl.SSLContext, papers: Papers) -> None:
    """Watch the files and take over new ones, until cancelled; files that do not fit together are left for the next look."""
    used = _state(papers)
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        state = _state(papers)
        if state and state != used:
            try:
                papers.context()
                papers.put_into(context)
            except ValueError as error:
                log.warning("tls.not_renewed", error=type(error.__cause__).__name__)
            else:
                used = state
                log.info("tls.renewed")


def _state(papers: Papers) -> tuple[tuple[str, int, int], ...]:
    with suppress(OSError):
        return papers.state()
    return ()
