"""Settings: environment over one TOML file over the defaults written here, which are also the reference."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_type_hints


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the platform; the environment variable is KANGYUN_ and the name in capitals."""

    data: Path = _setting(Path("data"), "Folder for the embedded database, raw messages and keys.")
    database_url: str = _setting("", "PostgreSQL 15+ to use instead of the embedded one.")
    database_pool: int = _setting(12, "Database connections of one process.")
    database_shared_buffers: str = _setting("512MB", "shared_buffers of the embedded PostgreSQL.")
    host: str = _setting("127.0.0.1", "Address to listen on; loopback unless told otherwise.")
    port: int = _setting(8080, "Port of the web pages and the FHIR API.")
    tls_certificate: str = _setting("", "PEM file with the certificate chain; pages and API then speak TLS only.")
    tls_key: str = _setting("", "PEM file with the private key of that certificate.")
    mllp_port: int = _setting(2575, "Port of the HL7 v2 listener (MLLP); 0 switches it off.")
    mllp_tls_certificate: str = _setting("", "PEM file with the certificate chain; MLLP then speaks TLS only.")
    mllp_tls_key: str = _setting("", "PEM file with the private key of the MLLP certificate.")
    mllp_tls_authorities: str = _setting("", "PEM file of who vouches for senders; each must then show its registered certificate.")
    mllp_plain: bool = _setting(False, "Let MLLP without TLS listen on other addresses than loopback.")
    mllp_max_bytes: int = _setting(16 * 1024 * 1024, "Largest HL7 v2 message taken, in bytes.")
    mllp_idle_seconds: float = _setting(30.0, "A half frame that grows no further is given up after this time.")
    folder_in: str = _setting("", "Folder watched for .hl7, .xml, .json, .ndjson, .csv, .tsv, .xlsx and .dbf files; empty switches it off.")
    trusted_proxies: str = _setting("", "Networks (CIDR), with commas, whose X-Forwarded-For is believed.")
    public_url: str = _setting("", "Address under which clients reach this server; empty: taken from the request.")
    region: str = _setting("yunzhou", "Region code; its rules in deploy/regions/<code>/rules override the built-in ones.")
    region_rules: str = _setting("deploy/regions", "Folder that holds the regions' own rule files.")
    time_zone: str = _setting("+08:00", "Offset of dates that state no zone; choose it before data is stored.")
    language: str = _setting("zh", "Language for people who state none: zh or en.")
    max_body_bytes: int = _setting(32 * 1024 * 1024, "Largest HTTP request body taken, in bytes.")
    slow_client_seconds: float = _setting(30.0, "A request head or body that takes longer to arrive is given up.")
    statement_seconds: float = _setting(60.0, "A database statement of a request is cancelled after this time.")
    access_local_role: str = _setting("", "Role of callers from this machine without a login, for development; empty: none.")
    access_network_role: str = _setting("", "Role of callers from the network without a login, for development; empty: none.")
    access_audit_on_disk: bool = _setting(False, "An answer waits until the disk has its event of the audit trail; else the disk has it a tenth of a second later.")
    outside_allow: str = _setting("", "Origins and networks (CIDR), with commas, that may be fetched from though they are not public.")
    keys_folder: str = _setting("", "Folder of the keys; empty: keys in the data folder. It is not part of a backup.")
    keys_sealing: str = _setting("AES-256-GCM", "Cipher of new sealed data: AES-256-GCM or SM4-GCM.")
    keys_pkcs11_library: str = _setting("", "PKCS#11 library of a device that guards the keys; empty: their files alone.")
    keys_pkcs11_token: str = _setting("kangyun", "Label of the token in that device.")
    keys_pkcs11_pin_file: str = _setting("", "File that holds the token's PIN and nothing else.")
    sms_url: str = _setting("", "Address of the gateway that sends text messages; empty: none are sent.")
    sms_key_file: str = _setting("", "File that holds the key shared with that gateway and nothing else.")
    insurer_url: str = _setting("", "Address of the insurer's interface; empty: what is settled waits until there is one.")
    insurer_key_file: str = _setting("", "File that holds the insurer's public key as a JSON Web Key.")
    turn_url: str = _setting("", "Addresses of TURN servers for calls, with commas: turn:host:3478?transport=udp; empty: none.")
    turn_key_file: str = _setting("", "File that holds the secret shared with the TURN servers (static-auth-secret) and nothing else.")
    turn_only: bool = _setting(False, "Send all media of calls through TURN, so that nobody in a call learns another's address.")
    payments_channels: str = _setting("", "Folder with a TOML file for each payment channel and the keys that they name; empty: nothing can be paid.")
    log_level: str = _setting("info", "debug, info, warning or error.")
    log_format: str = _setting("auto", "json, console, or auto (console on a terminal).")
    change_days: int = _setting(30, "Days that a delivered change is kept in the feed's table.")
    web_processes: int = _setting(0, "Processes that answer HTTP; 0: one for each core, four at most.")
    worker: bool = _setting(True, "Run background jobs and reactions too: in this process, or in one beside it where several answer.")


def load(file: Path | None = None, overrides: dict[str, Any] | None = None) -> Settings:
    """Read the settings.

    `file` is a TOML file of setting names; missing is an error only when it was named. `overrides` come from the
    command line and win. Raises ValueError that names an unknown setting or a value of the wrong kind.
    """
    values: dict[str, Any] = {}
    named = file or (Path(os.environ["KANGYUN_SETTINGS"]) if "KANGYUN_SETTINGS" in os.environ else None)
    if named is not None:
        values.update(tomllib.loads(named.read_text("utf-8")))
    names = {setting.name for setting in fields(Settings)}
    for name in names:
        text = os.environ.get(f"KANGYUN_{name.upper()}")
        if text is not None:
            values[name] = text
    values.update({k: v for k, v in (overrides or {}).items() if v is not None})
    unknown = values.keys() - names
    if unknown:
        raise ValueError(f"unknown setting: {', '.join(sorted(unknown))}")
    hints = get_type_hints(Settings)
    return Settings(**{name: _cast(name, value, hints[name]) for name, value in values.items()})


def _cast(name: str, value: Any, kind: type) -> Any:
    try:
        if kind is bool and isinstance(value, str):
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[value.lower()]
        return kind(value)
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"setting {name}: {value!r} is not a {kind.__name__}") from None


def offset(text: str) -> timezone:
    """The zone of an offset such as +08:00; raises ValueError for anything else."""
    moment = datetime.strptime(text, "%z")
    return timezone(moment.utcoffset() or timedelta(0))


def reference() -> list[tuple[str, str, str, str]]:
    """Rows of the generated reference: name, environment variable, default, meaning."""
    return [
        (s.name, f"KANGYUN_{s.name.upper()}", str(s.default), str(s.metadata["doc"])) for s in fields(Settings)
    ]
