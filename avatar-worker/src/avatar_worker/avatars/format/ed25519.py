"""Ed25519 signatures: verify in the worker, sign on the command line of whoever owns the key.

Nothing here runs in constant time. Verifying handles public data only; sign on a machine on which
nobody else measures time.

Source: RFC 8032, section 5.1, with the cofactorless check of 5.1.7 and canonical encodings only.
"""

from __future__ import annotations

import hashlib
from typing import Final

P: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
D: Final = -121665 * pow(121666, -1, P) % P
ROOT: Final = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, x y = T/Z."""


def signature_holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` (64 bytes) over `message` was made for `public_key` (32 bytes)."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, commitment = _decode(public_key), _decode(signature[:32])
    response = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or response >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % ORDER
    return _equal(_times(response, _BASE), _add(commitment, _times(challenge, key)))


def public_key_of(seed: bytes) -> bytes:
    """Return the public key (32 bytes) of a secret seed (32 bytes).

    Raises:
        ValueError: If the seed has another length.
    """
    return _encode(_times(_secret_scalar(seed)[0], _BASE))


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the signature (64 bytes) over `message` by a secret seed (32 bytes).

    Raises:
        ValueError: If the seed has another length.
    """
    scalar, prefix = _secret_scalar(seed)
    key = _encode(_times(scalar, _BASE))
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % ORDER
    commitment = _encode(_times(nonce, _BASE))
    digest = hashlib.sha512(commitment + key + message).digest()
    response = (nonce + int.from_bytes(digest, "little") * scalar) % ORDER
    return commitment + response.to_bytes(32, "little")


def _secret_scalar(seed: bytes) -> tuple[int, bytes]:
    """The clamped scalar and the prefix of a seed (RFC 8032, 5.1.5)."""
    if len(seed) != 32:
        raise ValueError("a seed has 32 bytes")
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (2**254 - 8) | 2**254, digest[32:]


def _encode(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(encoded: bytes) -> Point | None:
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _add(a: Point, b: Point) -> Point:
    low = (a[1] - a[0]) * (b[1] - b[0]) % P
    high = (a[1] + a[0]) * (b[1] + b[0]) % P
    cross = 2 * a[3] * b[3] * D % P
    scale = 2 * a[2] * b[2] % P
    e, f, g, h = high - low, scale - cross, scale + cross, high + low
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(count: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while count:
        if count & 1:
            total = _add(total, point)
        point = _add(point, point)
        count >>= 1
    return total


def _equal(a: Point, b: Point) -> bool:
    return not ((a[0] * b[2] - b[0] * a[2]) % P or (a[1] * b[2] - b[1] * a[2]) % P)


def _base() -> Point:
    point = _decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    if point is None:
        raise AssertionError("the base point is on the curve")
    return point


_BASE: Final = _base()
