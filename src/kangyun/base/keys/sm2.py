"""SM2 signatures with SM3 (GB/T 32918.2-2016, curve of GB/T 32918.5-2017), of which `cryptography` has the hash only.

Python's integers do not take constant time; the secret is only ever multiplied after blinding, and signing happens on
the platform's own machine, where a caller sees no time finer than a request.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import accumulate

from cryptography.hazmat.primitives import hashes

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
# The distinguishing identifier that GM/T 0009-2012 clause 10 sets where none is agreed.
USUAL_ID = b"1234567812345678"

Point = tuple[int, int]
_Projective = tuple[int, int, int]
_NOWHERE: _Projective = (1, 1, 0)
_WINDOW = 6
_ROWS = -(-256 // _WINDOW)
_TEETH, _APART = 4, 64
# A copy of a fresh hash costs two thirds of making one.
_FRESH = hashes.Hash(hashes.SM3())


def sm3(*parts: bytes) -> bytes:
    """The SM3 hash (GB/T 32905-2016) of the parts one after another, 32 bytes."""
    digest = _FRESH.copy()
    for part in parts:
        digest.update(part)
    return digest.finalize()


def base64url(data: bytes) -> str:
    """Base64url without padding, as in RFC 7515."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_secret() -> int:
    """A private key, 1 to n-2."""
    return 1 + secrets.randbelow(N - 2)


def public_point(secret: int) -> Point:
    """The public key of a private one."""
    point = _affine(_times_base(secret))
    assert point is not None
    return point


def sign(secret: int, message: bytes, identity: bytes = USUAL_ID, nonce: int | None = None) -> bytes:
    """A signature as r and s, 64 bytes; `nonce` is given only by the tests of published vectors (clause 6.1)."""
    digest = _digest(public_point_of(secret), message, identity)
    while True:
        k = nonce or new_secret()
        point = _affine(_times_base(k))
        assert point is not None
        r = (digest + point[0]) % N
        s = _response(secret, k, r)
        if r and r + k != N and s:
            return r.to_bytes(32) + s.to_bytes(32)


def verify(public: Point, message: bytes, signature: bytes, identity: bytes = USUAL_ID) -> bool:
    """Whether the signature is the key holder's (clause 7.1); false for anything that is not a signature or a key."""
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    t = (r + s) % N
    if len(signature) != 64 or not (0 < r < N and 0 < s < N and t) or not on_curve(public):
        return False
    point = _affine(_plus(_times_base(s), _times(t, public)))
    return point is not None and (_digest(public, message, identity) + point[0]) % N == r


def on_curve(point: Point) -> bool:
    """Whether a pair of numbers is a point of the curve."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x * x + A * x + B)) % P == 0


@lru_cache(maxsize=16)
def public_point_of(secret: int) -> Point:
    """The public key of a private one that is used again and again."""
    return public_point(secret)


def _response(secret: int, k: int, r: int) -> int:
    """(1 + d)^-1 (k - r d) mod n, with a random factor over and under the line, so that times tell nothing of d."""
    blind = new_secret()
    inverse = pow(blind * (1 + secret) % N, -1, N)
    return inverse * (blind * k - r * (blind * secret % N)) % N


def _digest(public: Point, message: bytes, identity: bytes) -> int:
    """The number e = SM3(Z || M), with Z of the identifier, the curve and the key (clause 5.5)."""
    numbers = (A, B, *G, *public)
    z = sm3((len(identity) * 8).to_bytes(2), identity, *(number.to_bytes(32) for number in numbers))
    return int.from_bytes(sm3(z, message))


def _times_base(k: int) -> _Projective:
    """The base point k times, by a table of its multiples: no doublings."""
    total = _NOWHERE
    for row in _base_table():
        digit = k & (1 << _WINDOW) - 1
        k >>= _WINDOW
        if digit:
            total = _plus_affine(total, row[digit - 1])
    return total


@cache
def _base_table() -> tuple[tuple[Point, ...], ...]:
    multiples: list[_Projective] = []
    base: _Projective = (*G, 1)
    most = (1 << _WINDOW) - 1
    for _ in range(_ROWS):
        row = [base]
        while len(row) < most:
            row.append(_plus(row[-1], base))
        multiples += row
        base = _plus(row[-1], base)
    flat = _affines(multiples)
    return tuple(tuple(flat[at : at + most]) for at in range(0, len(flat), most))


def _times(k: int, point: Point) -> _Projective:
    """A point k times, with a comb (Lim and Lee, CRYPTO '94): the bits of k that lie 64 apart are taken together."""
    table, total = _comb(point), _NOWHERE
    for place in range(_APART - 1, -1, -1):
        total = _twice(total)
        digit = sum((k >> place + _APART * tooth & 1) << tooth for tooth in range(_TEETH))
        if digit:
            total = _plus_affine(total, table[digit - 1])
    return total


@lru_cache(maxsize=1024)
def _comb(point: Point) -> tuple[Point, ...]:
    """The sums of P, 2^64 P, 2^128 P and 2^192 P; a partner's key is met again and again."""
    found: list[_Projective] = []
    tooth: _Projective = (*point, 1)
    for _ in range(_TEETH):
        found += [tooth, *(_plus(one, tooth) for one in found)]
        for _ in range(_APART):
            tooth = _twice(tooth)
    return tuple(_affines(found))


def _affines(points: Sequence[_Projective]) -> list[Point]:
    """Points none of which is nowhere, with one inversion for all of them (Montgomery)."""
    products = list(accumulate((z for *_, z in points), lambda one, other: one * other % P, initial=1))
    inverse, found = pow(products[-1], -1, P), list[Point]()
    for (x, y, z), before in zip(reversed(points), reversed(products[:-1]), strict=True):
        own, inverse = inverse * before % P, inverse * z % P
        square = own * own % P
        found.append((x * square % P, y * square * own % P))
    return found[::-1]


def _twice(point: _Projective) -> _Projective:
    x, y, z = point
    if not z:
        return point
    zz, yy = z * z % P, y * y % P
    slope = 3 * (x - zz) * (x + zz) % P
    beta = 4 * x * yy % P
    x3 = (slope * slope - 2 * beta) % P
    return x3, (slope * (beta - x3) - 8 * yy * yy) % P, 2 * y * z % P


def _plus(one: _Projective, other: _Projective) -> _Projective:
    x1, y1, z1 = one
    x2, y2, z2 = other
    if not z1 or not z2:
        return one if z1 else other
    z1z1, z2z2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * z2z2 % P, x2 * z1z1 % P
    s1, s2 = y1 * z2 * z2z2 % P, y2 * z1 * z1z1 % P
    if u1 == u2:
        return _twice(one) if s1 == s2 else _NOWHERE
    h, slope = u2 - u1, s2 - s1
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x3 = (slope * slope - hhh - 2 * v) % P
    return x3, (slope * (v - x3) - s1 * hhh) % P, h * z1 * z2 % P


def _plus_affine(one: _Projective, other: Point) -> _Projective:
    """The sum with a point whose third coordinate is 1, as those of tables are."""
    x1, y1, z1 = one
    x2, y2 = other
    if not z1:
        return x2, y2, 1
    square = z1 * z1 % P
    h, slope = x2 * square % P - x1, y2 * z1 * square % P - y1
    if not h:
        return _NOWHERE if slope else _twice(one)
    hh = h * h % P
    hhh, v = h * hh % P, x1 * hh % P
    x3 = (slope * slope - hhh - 2 * v) % P
    return x3, (slope * (v - x3) - y1 * hhh) % P, h * z1 % P


def _affine(point: _Projective) -> Point | None:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, P)
    return x * inverse * inverse % P, y * inverse * inverse * inverse % P
