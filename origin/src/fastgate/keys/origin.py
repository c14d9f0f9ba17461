"""The private keys of one origin, for an edge that signs its headers by a MAC (HS256).

Input: the output of `fastgate origin-key new`: a private JWK on X25519, or a JWK Set of
several. Output: `OriginKeys`, which derive one `MacKey` from each pair of an edge's key and an
origin's, or `JwksRefused`. No entry is ignored silently: the operator has configured this document,
so an unsuitable entry is an error. Nothing is printed and nothing is fetched.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fastgate.base64url import base64url
from fastgate.errors import JwksRefused
from fastgate.keys.jwks import ExchangeKey, by_kid
from fastgate.keys.okp import X25519, octets_of, public_jwk, thumbprint

MAC_KEY_BYTES = 32
"""The length of the hash: the minimum of RFC 7518 §3.2, and what the derivation returns."""
_BLOCK_BYTES = 64
_PURPOSE = b"Fastgate-Identity 2 HS256\0"


class MacKey:
    """One key that makes and checks HS256 signatures (RFC 7518 §3.2). Its `repr` hides it."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != MAC_KEY_BYTES:
            raise ValueError("a MAC key has 32 bytes")
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


class PrivateKey:
    """A private key on X25519, of an origin or of an edge. Its `repr` hides it."""

    __slots__ = ("_private", "public")

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private
        # RFC 7748 §5: every scalar leads to a point whose order is not low.
        public = private.public_key()
        self.public = ExchangeKey(public, thumbprint(X25519, public.public_bytes_raw()))

    @property
    def public_jwk(self) -> dict[str, object]:
        """The public JWK."""
        return public_jwk(X25519, self.public.public.public_bytes_raw())

    @property
    def private_jwk(self) -> dict[str, object]:
        """The private JWK. It is a secret."""
        return {**self.public_jwk, "d": base64url(self._private.private_bytes_raw())}

    def shared_with(self, other: ExchangeKey) -> bytes:
        """Return the shared secret (RFC 7748 §6.1). Raises `ValueError` if it is all zeros."""
        return self._private.exchange(other.public)


class OriginKeys(NamedTuple):
    """The private keys of an origin, and the audience for which it accepts headers."""

    keys: tuple[PrivateKey, ...]
    audience: str

    def mac_keys(self, edge: Iterable[ExchangeKey]) -> Iterator[tuple[str, MacKey]]:
        """Yield the MAC key of every pair, with its `kid`."""
        for theirs in edge:
            for own in self.keys:
                key = mac_key(own.shared_with(theirs), theirs, own.public, self.audience)
                yield mac_kid(theirs, own.public), key


def mac_kid(edge: ExchangeKey, origin: ExchangeKey) -> str:
    """Return the `kid` of the MAC key of this pair."""
    return f"{edge.kid}.{origin.kid}"


def mac_key(secret: bytes, edge: ExchangeKey, origin: ExchangeKey, audience: str) -> MacKey:
    """Return the MAC key of a pair for one audience: HKDF-SHA-256 (RFC 5869), without a salt.

    Args:
        secret: the result of the key exchange, 32 octets.
        edge: the edge's public key.
        origin: the origin's public key.
        audience: `aud` of the headers, which the edge signs for this origin.

    """
    info = _PURPOSE + edge.thumbprint + origin.thumbprint + audience.encode()
    # RFC 5869 §2: extract, then the first block of expand, which has the length of the key.
    extracted = hmac.digest(bytes(MAC_KEY_BYTES), secret, "sha256")
    return MacKey(hmac.digest(extracted, info + b"\1", "sha256"))


def read_origin_keys(document: Mapping[str, object]) -> tuple[PrivateKey, ...]:
    """Return all keys in `document`, a private JWK or a JWK Set of them: at least one.

    Raises:
        JwksRefused: the document holds no key, one key twice, or an entry that is not a private
            JWK on X25519.

    """
    entries = document.get("keys") if "keys" in document else [document]
    if not isinstance(entries, list):
        raise JwksRefused("not-a-jwk-set")
    found = map(private_key, entries)
    return tuple(by_kid((key.public.kid, key) for key in found).values())


def private_key(entry: object) -> PrivateKey:
    """Return the key of a private JWK. Raises `JwksRefused`."""
    if not isinstance(entry, Mapping):
        raise JwksRefused("not-an-exchange-key")
    found = (entry.get("kty"), entry.get("crv"), entry.get("use", "enc"))
    if found != ("OKP", X25519, "enc") or "alg" in entry:
        raise JwksRefused("not-an-exchange-key")
    if "d" not in entry:
        raise JwksRefused("not-private")
    secret, public = octets_of(entry["d"]), octets_of(entry.get("x"))
    if secret is None or public is None:
        raise JwksRefused("not-32-bytes")
    private = X25519PrivateKey.from_private_bytes(secret)
    if private.public_key().public_bytes_raw() != public:
        raise JwksRefused("not-a-pair")
    key = PrivateKey(private)
    if entry.get("kid", key.public.kid) != key.public.kid:
        raise JwksRefused("not-its-thumbprint")
    return key
