"""What an app asks a person for, judged before anybody is asked (OAuth 2.1 section 4.1.1, SMART App Launch 2.2, OpenID Connect 3.1.2.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from kangyun.commons.access.decisions import scopes as scoping
from kangyun.commons.access.decisions.tokens import Refused, is_challenge

_LONGEST = 2000
_LAUNCH = {"launch", "launch/patient", "launch/encounter"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be put to a person. scopes: what of the asked ones the app may have; launch: secret of an EHR launch."""

    redirect: str
    scopes: str
    challenge: str
    state: str = ""
    nonce: str = ""
    launch: str = ""

    @property
    def needs_patient(self) -> bool:
        """Whether one resident must be chosen for it."""
        return "launch/patient" in self.scopes.split() or "patient" in scoping.contexts(self.scopes)


def single(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Parameters, each at most once; one that came twice is left out, so that nobody may choose between them."""
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1 and value}


def judged(told: Mapping[str, str], most: str, audience: str) -> Asked:
    """What may be asked of a person. `most`: what the app may ever be granted; `audience`: address of the FHIR API.

    Raises Refused with an error that may be told to the app at its redirect address.
    """
    _check_shape(told)
    scopes = scoping.for_people(scoping.narrowed(told.get("scope", ""), most))
    if not scopes:
        raise Refused("invalid_scope", "none of the scopes can be granted to this app")
    about_records = scoping.contexts(scopes) or _LAUNCH & set(scopes.split())
    meant = told.get("aud") or told.get("resource")
    if (about_records and not meant) or (meant and meant.rstrip("/") != audience):
        raise Refused("invalid_request", "aud must be the address of this FHIR API")
    if ("launch" in told) != ("launch" in scopes.split()):
        raise Refused("invalid_request", "the scope launch and the parameter launch belong together")
    if "none" in told.get("prompt", "").split():
        raise Refused("interaction_required", "a person must be asked")
    return Asked(
        told["redirect_uri"], _possible(scopes), told["code_challenge"], told.get("state", ""), told.get("nonce", ""),
        told.get("launch", ""))


def _check_shape(told: Mapping[str, str]) -> None:
    if told.get("response_type") != "code":
        raise Refused("unsupported_response_type", "response_type must be code")
    if told.get("response_mode", "query") != "query":
        raise Refused("invalid_request", "response_mode must be query")
    if "request" in told or "request_uri" in told:
        raise Refused("request_not_supported", "requests are parameters, not objects")
    if told.get("code_challenge_method") != "S256" or not is_challenge(told.get("code_challenge", "")):
        raise Refused("invalid_request", "PKCE with method S256 is required")
    if any(len(value) > _LONGEST for value in told.values()):
        raise Refused("invalid_request", "a parameter is too long")


def _possible(scopes: str) -> str:
    """Without what only a launch from a resident's page can give: nobody is asked for a visit here."""
    words = scopes.split()
    return " ".join(word for word in words if word != "launch/encounter" or "launch" in words)


def sent_back(redirect: str, **told: str) -> str:
    """The address that takes an answer to the app."""
    parts = urlsplit(redirect)
    more = urlencode({name: value for name, value in told.items() if value})
    return parts._replace(query=f"{parts.query}&{more}" if parts.query else more).geturl()


def form_target(redirect: str) -> str:
    """Where a form's answer may lead, as a source of a content security policy (form-action)."""
    parts = urlsplit(redirect)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"
