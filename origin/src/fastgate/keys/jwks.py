"""A JWK Set (RFC 7517 §5) as the edge publishes it, turned into its public keys.

Input: the document's bytes. Output: `PublishedKeys`: keys on Ed25519 that verify signatures, and
keys on X25519 from which an origin derives MAC keys. Or `JwksRefused`. Keys for another purpose are
ignored. A key that should be secret is ignored and logged. It never fetches anything.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from fastgate import strict_json
from fastgate.base64url import base64url
from fastgate.errors import JwksRefused
from fastgate.keys.okp import (
    ED25519,
    X25519,
    is_reduced,
    is_usable_ed25519,
    octets_of,
    thumbprint,
)

Key = TypeVar("Key")

_log = logging.getLogger("fastgate")
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_ANY_PRIVATE_KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))


class ExchangeKey(NamedTuple):
    """A public key on X25519 (RFC 7748) of an edge or an origin."""

    public: X25519PublicKey
    thumbprint: bytes
    """32 octets (RFC 7638). In base64url they are the `kid`."""

    @property
    def kid(self) -> str:
        """The thumbprint in base64url."""
        return base64url(self.thumbprint)


class PublishedKeys(NamedTuple):
    """The keys that an edge publishes."""

    signing: Mapping[str, Ed25519PublicKey]
    """By `kid`."""
    exchange: tuple[ExchangeKey, ...]


def read_jwks(document: bytes) -> PublishedKeys:
    """Return the keys in `document`, which is JSON: at least one.

    Raises:
        JwksRefused: the document is not a JWK Set, holds no usable key, or has a `kid` twice.

    """
    public = [
        entry for entry in entries_of(document) if isinstance(entry, dict) and _is_public(entry)
    ]
    signing, exchange = list(_signing(public)), list(_exchange(public))
    by_kid([*signing, *((key.kid, key) for key in exchange)])
    return PublishedKeys(dict(signing), tuple(exchange))


def entries_of(document: bytes) -> list[object]:
    """Return the entries of a JWK Set, which is JSON. Raises `JwksRefused` if it is not one."""
    try:
        entries = strict_json.parse_object(document).get("keys")
    except ValueError as error:
        raise JwksRefused("not-json") from error
    if not isinstance(entries, list):
        raise JwksRefused("not-a-jwk-set")
    return entries


def by_kid(found: Iterable[tuple[str, Key]]) -> dict[str, Key]:
    """Return the keys by their `kid`.

    Raises:
        JwksRefused: there are no keys, or two keys have the same `kid`.

    """
    keys: dict[str, Key] = {}
    for kid, key in found:
        if kid in keys:
            raise JwksRefused("ambiguous-kid")
        keys[kid] = key
    if not keys:
        raise JwksRefused("no-usable-key")
    return keys


def read_exchange_key(entry: Mapping[str, object]) -> ExchangeKey:
    """Return the key of a public JWK on X25519, such as `origins.<name>.key` of the policy.

    Raises:
        JwksRefused: it is private, is not on X25519, has low order, or `kid` is another key's.

    """
    if not _SECRET_MEMBERS.isdisjoint(entry):
        raise JwksRefused("not-public")
    public = octets_of(entry.get("x"))
    key = None if public is None else exchange_key(public)
    if key is None or "alg" in entry or not _is_for(entry, X25519, "enc", "deriveBits"):
        raise JwksRefused("not-an-exchange-key")
    if entry.get("kid", key.kid) != key.kid:
        raise JwksRefused("not-its-thumbprint")
    return key


def exchange_key(public: bytes) -> ExchangeKey | None:
    """Return the key with these 32 octets, the only spelling of the key.

    None for another spelling, and for a point of low order (RFC 7748 §6.1).
    """
    if not is_reduced(public):
        return None
    key = X25519PublicKey.from_public_bytes(public)
    try:
        # The result is all zeros with every private key, or with none.
        _ANY_PRIVATE_KEY.exchange(key)
    except ValueError:
        return None
    return ExchangeKey(key, thumbprint(X25519, public))


def _is_public(entry: Mapping[str, object]) -> bool:
    if entry.get("kty") == "oct" or not _SECRET_MEMBERS.isdisjoint(entry):
        # Every reader of this document could sign with this key.
        _log.error("key left out: not-public")
        return False
    return True


def _is_for(entry: Mapping[str, object], curve: str, use: str, operation: str) -> bool:
    key_ops = entry.get("key_ops", [operation])
    return (
        entry.get("kty") == "OKP"
        and entry.get("crv") == curve
        and entry.get("use", use) == use
        and isinstance(key_ops, list)
        and operation in key_ops
    )


def _signing(entries: Iterable[Mapping[str, object]]) -> Iterator[tuple[str, Ed25519PublicKey]]:
    for entry in entries:
        if _is_for(entry, ED25519, "sig", "verify") and entry.get("alg", "EdDSA") == "EdDSA":
            kid, public = entry.get("kid"), octets_of(entry.get("x"))
            if isinstance(kid, str) and kid and public is not None and is_usable_ed25519(public):
                yield kid, Ed25519PublicKey.from_public_bytes(public)


def _exchange(entries: Iterable[Mapping[str, object]]) -> Iterator[ExchangeKey]:
    for entry in entries:
        if _is_for(entry, X25519, "enc", "deriveBits") and "alg" not in entry:
            public = octets_of(entry.get("x"))
            key = None if public is None else exchange_key(public)
            if key is not None and entry.get("kid") == key.kid:
                yield key
