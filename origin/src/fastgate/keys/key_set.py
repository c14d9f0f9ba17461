"""The keys that a header may be verified with, and the algorithm of each.

Input: the published keys of an edge, and the private keys of an origin, if it has any. Output:
`KeySet`. Every MAC key is derived here, once for each published document, so that `verify` only
looks it up.
"""

import logging
from collections.abc import Mapping
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fastgate.keys.jwks import by_kid, read_jwks
from fastgate.keys.origin import MacKey, OriginKeys

KeySet: TypeAlias = Mapping[str, Ed25519PublicKey | MacKey]
"""Keys by `kid`. A public key on Ed25519 verifies EdDSA; a MAC key verifies HS256."""

_log = logging.getLogger("fastgate")


def read_key_set(document: bytes, origin: OriginKeys | None = None) -> KeySet:
    """Return the keys of an edge that publishes `document`, for an origin with these own keys.

    Raises:
        JwksRefused: the document is not a JWK Set, holds no usable key, or has a `kid` twice.

    """
    published = read_jwks(document)
    found: list[tuple[str, Ed25519PublicKey | MacKey]] = [*published.signing.items()]
    if origin is not None:
        found += origin.mac_keys(published.exchange)
        if not published.exchange:
            _log.warning("the edge publishes no X25519 key, so it cannot sign by a MAC")
    return by_kid(found)
