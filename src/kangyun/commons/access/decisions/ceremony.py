"""What a browser is asked for a passkey, and what its answer proves (W3C Web Authentication level 3).

Imported when somebody first uses a passkey: the library, with what it needs in turn, takes 14 MB of every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

_VERIFIED = UserVerificationRequirement.REQUIRED


class Asked(NamedTuple):
    """A challenge, and the options with it for the browser as JSON."""

    challenge: str
    options: str


class Passkey(NamedTuple):
    """A key that a device has made: its handle, its public part (COSE), how often it was used."""

    handle: bytes
    content: bytes
    uses: int


def ask(host: str, held: Sequence[bytes] | None = None) -> Asked:
    """For any passkey that is bound to the host, or for one of those with the given handles."""
    allowed = None if held is None else [PublicKeyCredentialDescriptor(id=one) for one in held]
    options = generate_authentication_options(rp_id=host, allow_credentials=allowed, user_verification=_VERIFIED)
    return Asked(bytes_to_base64url(options.challenge), options_to_json(options))


def ask_new(host: str, site: str, user: tuple[bytes, str], held: Sequence[bytes]) -> Asked:
    """For a new passkey of a user (id, and the label that the device shows), on a device that holds none of these."""
    options = generate_registration_options(
        rp_id=host, rp_name=site, user_id=user[0], user_name=user[1],
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in held],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_VERIFIED),
    )
    return Asked(bytes_to_base64url(options.challenge), options_to_json(options))


def handle_of(answer: str) -> bytes | None:
    """Which passkey an answer comes from; None when it is none."""
    try:
        return parse_authentication_credential_json(answer).raw_id
    except (WebAuthnException, ValueError):
        return None


def proved(answer: str, challenge: str, place: tuple[str, str], known: Passkey) -> int | None:
    """How often the passkey says it was used, when it answered the challenge at the place (origin, host); else None."""
    try:
        return verify_authentication_response(
            credential=answer, expected_challenge=base64url_to_bytes(challenge), expected_origin=place[0], expected_rp_id=place[1],
            credential_public_key=known.content, credential_current_sign_count=known.uses, require_user_verification=True,
        ).new_sign_count
    except (WebAuthnException, ValueError):
        return None


def made(answer: str, challenge: str, place: tuple[str, str]) -> Passkey | None:
    """The new passkey, when the answer to the challenge at the place (origin, host) is right; else None."""
    try:
        found = verify_registration_response(
            credential=answer, expected_challenge=base64url_to_bytes(challenge), expected_origin=place[0], expected_rp_id=place[1],
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError):
        return None
    return Passkey(found.credential_id, found.credential_public_key, found.sign_count)
