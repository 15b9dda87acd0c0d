"""Keys: sealing at rest, keyed hashes, the card's block cipher and signatures, behind one interface.

A room never holds a key: it names a purpose and hands over data. `FileKeys` keeps keys in files that only the
platform's account reads; `Token` lets a PKCS#11 device hold the key above them and the ES256 signing keys.
"""

from kangyun.base.keys import vault
from kangyun.base.keys.blocks import sm4
from kangyun.base.keys.model import Block, KeyStore, PublicKey, Unopenable, UnsuitableKey, verify
from kangyun.base.keys.sm2 import base64url, sm3
from kangyun.base.keys.store import FileKeys, open_keys

__all__ = ["Block", "FileKeys", "KeyStore", "PublicKey", "Unopenable", "UnsuitableKey", "base64url", "open_keys", "sm3", "sm4", "vault", "verify"]
