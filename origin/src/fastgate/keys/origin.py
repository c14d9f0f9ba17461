"""The keys of one origin, for an edge that signs its headers by a MAC (HS256).

In: what `fastgate keys origin` printed: a JWK Set of symmetric keys, a secret of edge and origin.
Out: `OriginKeys`, or `JwksRefused`. Nothing here prints, and nothing is left out silently: an
operator handed this over, so whatever does not belong there is refused. It never fetches: a key
that comes by way of a published document is no secret (see `jwks`).
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import TypeAlias

from fastgate.errors import JwksRefused
from fastgate.keys.jwks import by_kid

KEY_BYTES = 32
"""As long as the hash's output: RFC 7518 §3.2 asks for no less, the derivation gives no more."""
_BLOCK_BYTES = 64


class OriginKey:
    """One key that makes and checks HS256 signatures (RFC 7518 §3.2); it prints as its type."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError("an origin key has 32 bytes")
        # RFC 2104 §4: what depends on the key alone is hashed once.
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
    """Return the keys in `document`, all of them, and at least one.

    Raises:
        JwksRefused: it is not a JWK Set, is empty, gives one `kid` to two keys, or holds anything
            but symmetric keys of 32 bytes for HS256.

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
    # One spelling only, and none of another alphabet (RFC 7515 §2).
    if base64.urlsafe_b64encode(octets).decode() != f"{secret}=":
        raise JwksRefused("not-32-bytes")
    return kid, key
