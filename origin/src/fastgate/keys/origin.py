"""The keys of one origin, for an edge that signs its headers by a MAC (HS256).

Input: the output of `fastgate keys origin`: a JWK Set of symmetric keys, a secret of edge and
origin. Output: `OriginKeys`, or `JwksRefused`. No entry is ignored silently: the operator has
configured this document, so an unsuitable entry is an error. Nothing is printed and nothing is
fetched: a key from a published document is not secret (see `jwks`).
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import TypeAlias

from fastgate.errors import JwksRefused
from fastgate.keys.jwks import by_kid

KEY_BYTES = 32
"""The length of the hash: the minimum of RFC 7518 §3.2, and what the derivation returns."""
_BLOCK_BYTES = 64


class OriginKey:
    """One key that makes and checks HS256 signatures (RFC 7518 §3.2). Its `repr` hides it."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError("an origin key has 32 bytes")
        # RFC 2104 §4: the part that depends only on the key is hashed once.
        padded = secret.ljust(_BLOCK_BYTES, b"\0")
        self._inner, self._outer = (
            hashlib.sha256(bytes(octet ^ pad for octet in padded)) for pad in (0x36, 0x5C)
        )

    def mac(self, signing_input: bytes) -> bytes:
        """Return the signature of these bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(signing_input)
        outer.update(inner.digest())
        return outer.digest()


OriginKeys: TypeAlias = Mapping[str, OriginKey]
"""Origin keys, by the `kid` of the signing key that each is derived from."""


def read_origin_keys(document: Mapping[str, object]) -> OriginKeys:
    """Return all keys in `document`: at least one.

    Raises:
        JwksRefused: the document is not a JWK Set, is empty, has a `kid` twice, or holds an entry
            that is not a symmetric key of 32 bytes for HS256.

    """
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise JwksRefused("not-a-jwk-set")
    return by_kid(map(_entry, entries))


def _entry(entry: object) -> tuple[str, OriginKey]:
    expected = {"kty": "oct", "alg": "HS256", "use": "sig"}
    if not isinstance(entry, Mapping) or any(entry.get(k) != v for k, v in expected.items()):
        raise JwksRefused("not-an-origin-key")
    kid, secret = entry.get("kid"), entry.get("k")
    if not isinstance(kid, str) or not kid:
        raise JwksRefused("no-kid")
    try:
        octets = base64.urlsafe_b64decode(f"{secret}=" if isinstance(secret, str) else "")
        key = OriginKey(octets)
    except ValueError:
        raise JwksRefused("not-32-bytes") from None
    # Only the canonical spelling is accepted (RFC 7515 §2).
    if base64.urlsafe_b64encode(octets).decode() != f"{secret}=":
        raise JwksRefused("not-32-bytes")
    return kid, key
