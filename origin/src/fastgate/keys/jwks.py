"""A JWK Set (RFC 7517 §5) as the edge publishes it, turned into keys that can verify ES256.

Input: the document's bytes. Output: `PublicKeys`, or `JwksRefused`. Keys for another purpose are
ignored. A key that should be secret is ignored and logged. It never fetches anything.
"""

import base64
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)

from fastgate import strict_json
from fastgate.errors import JwksRefused

PublicKeys: TypeAlias = Mapping[str, EllipticCurvePublicKey]
"""Public keys on P-256, by `kid`."""

Key = TypeVar("Key")

_log = logging.getLogger("fastgate")
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_COORDINATE_BYTES = 32


def read_jwks(document: bytes) -> PublicKeys:
    """Return the ES256 verification keys in `document`, which is JSON: at least one.

    Raises:
        JwksRefused: the document is not a JWK Set, holds no usable key, or has a `kid` twice.

    """
    try:
        entries = strict_json.parse_object(document).get("keys")
    except ValueError as error:
        raise JwksRefused("not-json") from error
    if not isinstance(entries, list):
        raise JwksRefused("not-a-jwk-set")
    return by_kid(_usable(entries))


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


def _usable(entries: Iterable[object]) -> Iterator[tuple[str, EllipticCurvePublicKey]]:
    for entry in entries:
        if isinstance(entry, dict) and _is_for_es256(entry):
            kid, key = _kid(entry), _public_key(entry)
            if kid is not None and key is not None:
                yield kid, key


def _is_for_es256(entry: Mapping[str, object]) -> bool:
    if entry.get("kty") == "oct" or not _SECRET_MEMBERS.isdisjoint(entry):
        # Every reader of this document could sign with this key.
        _log.error("key left out: not-public")
        return False
    key_ops = entry.get("key_ops", ["verify"])
    return (
        entry.get("kty") == "EC"
        and entry.get("crv") == "P-256"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "ES256") == "ES256"
        and isinstance(key_ops, list)
        and "verify" in key_ops
    )


def _kid(entry: Mapping[str, object]) -> str | None:
    kid = entry.get("kid")
    return kid if isinstance(kid, str) and kid else None


def _public_key(entry: Mapping[str, object]) -> EllipticCurvePublicKey | None:
    x, y = _coordinate(entry.get("x")), _coordinate(entry.get("y"))
    if x is None or y is None:
        return None
    try:
        return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    except ValueError:  # not a point on the curve
        return None


def _coordinate(value: object) -> int | None:
    # The length is that of the field, with leading zeros (RFC 7518 §6.2.1.2).
    if not isinstance(value, str) or not value.isascii():
        return None
    try:
        octets = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return int.from_bytes(octets) if len(octets) == _COORDINATE_BYTES else None
