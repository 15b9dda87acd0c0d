"""The numbers of the national electronic health card (国家卫生健康委 电子健康卡密码服务, 2018), by SM3 and SM4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kangyun.base.keys import Block, sm3, sm4
from kangyun.base.web.display import CHINA
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

# The card's number (健康卡号) in the national directory of object identifiers, as WS/T 500 writes it; from memory.
CARD_SYSTEM = "urn:oid:2.16.156.10011.1.19"

_BLOCK = 16

# WS 364.3 CV02.01.101, by the identifier types of HL7 table 0203 under which senders bring them.
_TYPES = {"NNCHN": "01", "NI": "01", "PPN": "03", "TRC": "06", "BC": "08"}


@dataclass(frozen=True, slots=True)
class Holder:
    """What a card's numbers are made of: document type (two digits), its number, and the legal name."""

    id_type: str
    id_number: str
    name: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """The master index (主索引ID) and the card's number (电子健康卡ID), capital hexadecimal digits."""

    index: str
    card: str


def numbers_of(holder: Holder, root: Block) -> Numbers:
    """The index and number of a holder's card; `root` is the cipher with the region's root key."""
    index = sm3((holder.id_type + holder.id_number + holder.name).encode())
    own = sm4(user_key(root, index))
    card = own.encrypt(_padded((holder.id_type + holder.id_number).encode()))
    return Numbers(index.hex().upper(), card.hex().upper())


def factor(index: bytes) -> bytes:
    """The dispersion factor (分散因子): the four blocks of eight bytes of the index, added without carry."""
    parts = (int.from_bytes(index[start : start + 8]) for start in range(0, 32, 8))
    total = 0
    for part in parts:
        total ^= part
    return total.to_bytes(8)


def user_key(root: Block, index: bytes) -> bytes:
    """The holder's own key (身份认证密钥), 16 bytes."""
    plain = factor(index)
    return root.encrypt(plain + bytes(byte ^ 0xFF for byte in plain))


def expiry_block(protect: Block, moment: datetime) -> str:
    """The moment when a dynamic code ends, sealed by the protect key: BCD of YYYYMMDDHHMMSS in China's time, and zeros."""
    digits = moment.astimezone(CHINA).strftime("%Y%m%d%H%M%S")
    return protect.encrypt(_padded(bytes.fromhex(digits))).hex().upper()


def expiry_of(protect: Block, block: str) -> datetime | None:
    """The moment in such a block; None when our key did not seal it."""
    plain = protect.decrypt(bytes.fromhex(block)).hex()
    if plain[14:].strip("0") or not plain[:14].isdigit():
        return None
    try:
        return datetime.strptime(plain[:14], "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
    except ValueError:
        return None


def holder_of(person: dict[str, Any]) -> Holder | None:
    """The holder that a Person or Patient describes; None without a name and a document that a card can be made of."""
    name = legal_name(person)
    documents = sorted(_documents(person))
    return Holder(*documents[0], name) if name and documents else None


def _documents(person: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for one in person.get("identifier", []):
        value = str(one.get("value", "")).strip().upper()
        kind = "01" if one.get("system") == ID_NUMBER_SYSTEM else _type_of(one)
        if value and kind and one.get("use") != "old":
            found.append((kind, value))
    return found


def _type_of(identifier: dict[str, Any]) -> str | None:
    codes = (str(coding.get("code")) for coding in identifier.get("type", {}).get("coding", []))
    return next((_TYPES[code] for code in codes if code in _TYPES), None)


def is_document(identifier: dict[str, Any]) -> bool:
    """Whether an identifier is a document that a card can be made of."""
    return identifier.get("system") == ID_NUMBER_SYSTEM or _type_of(identifier) is not None


def legal_name(person: dict[str, Any]) -> str:
    """The official name, else the first that is neither old nor a nickname, as one text without spaces between characters."""
    names = [one for one in person.get("name", []) if one.get("use") not in {"old", "maiden", "nickname"}]
    best = min(names, key=lambda one: one.get("use") != "official", default={})
    return str(best.get("text") or f"{best.get('family', '')}{''.join(best.get('given', []))}").strip()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)
