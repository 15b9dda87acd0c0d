"""The channels of this installation: one TOML file for each in the folder of the setting `payments_channels`.

    wechat.toml      url, merchant, app, serial, key = "merchant.pem", api_key = "api.key", platform = {"<serial>" = "platform.pem"}
    alipay.toml      url, app, key, platform
    unionpay.toml    url, files, merchant, certificate, key, platform

Keys are files beside it, of mode 600 where they are ours. Nothing secret stands in a TOML file or in the database.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from kangyun.base.settings import Settings
from kangyun.support.payments.gateways.alipay import Alipay
from kangyun.support.payments.gateways.signing import private_key, public_key, secret
from kangyun.support.payments.gateways.unionpay import UnionPay
from kangyun.support.payments.gateways.wechat import WeChat
from kangyun.support.payments.model import Channel

Told = Mapping[str, Any]


def channels(settings: Settings) -> Mapping[str, Channel]:
    """The channels by name, in the order in which people are offered them. Raises RuntimeError for a file that is wrong."""
    if not settings.payments_channels:
        return {}
    place = Path(settings.payments_channels)
    if not place.is_dir():
        raise RuntimeError(f"the setting payments_channels names {place}, which is no folder")
    return _opened(place, tuple(_changed(place / f"{name}.toml") for name in _KINDS))


def _changed(file: Path) -> int:
    return file.stat().st_mtime_ns if file.is_file() else 0


@lru_cache(maxsize=16)
def _opened(place: Path, changed: tuple[int, ...]) -> Mapping[str, Channel]:
    """The channels of a folder whose files were last changed then."""
    del changed
    return {name: _read(place / f"{name}.toml", make) for name, make in _KINDS.items() if (place / f"{name}.toml").is_file()}


def _read(file: Path, make: Callable[[Path, Told], Channel]) -> Channel:
    try:
        return make(file.parent, tomllib.loads(file.read_text("utf-8")))
    except KeyError as error:
        raise RuntimeError(f"{file} lacks {error.args[0]}") from None
    except tomllib.TOMLDecodeError as error:
        raise RuntimeError(f"{file}: {error}") from None


def _wechat(folder: Path, told: Told) -> Channel:
    sealing = secret(folder / told["api_key"]).strip()
    if len(sealing) != 32:
        raise RuntimeError(f"{folder / told['api_key']} is no API v3 key of 32 bytes")
    platform = {serial: public_key(folder / name) for serial, name in told["platform"].items()}
    return WeChat(told["url"].rstrip("/"), told["merchant"], told["app"], told["serial"], private_key(folder / told["key"]), platform, sealing)


def _alipay(folder: Path, told: Told) -> Channel:
    return Alipay(told["url"], told["app"], private_key(folder / told["key"]), public_key(folder / told["platform"]))


def _unionpay(folder: Path, told: Told) -> Channel:
    return UnionPay(
        told["url"].rstrip("/"), told["files"].rstrip("/"), told["merchant"], told["certificate"], private_key(folder / told["key"]),
        public_key(folder / told["platform"]))


_KINDS: dict[str, Callable[[Path, Told], Channel]] = {"wechat": _wechat, "alipay": _alipay, "unionpay": _unionpay}
