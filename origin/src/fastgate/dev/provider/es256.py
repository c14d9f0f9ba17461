"""A key on P-256 and its signatures (ES256, RFC 7518 §3.4).

Input: a payload. Output: its compact JWS, and the public JWK that verifies it. The private key
exists only in this process.
"""

import hashlib
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from fastgate.base64url import base64url
from fastgate.fake_edge.signing import signing_input

ALGORITHM = "ES256"
_OCTETS = 32


class Es256Key:
    """A new key."""

    def __init__(self) -> None:
        self._private = generate_private_key(SECP256R1())
        self.jwk = _public_jwk(self._private.public_key())
        self.kid = self.jwk["kid"]

    def sign(self, payload: Mapping[str, object], *, typ: str) -> str:
        """Return the compact JWS of a payload, with this type."""
        # Only headers of the edge have a version.
        header: dict[str, object] = {"alg": ALGORITHM, "kid": self.kid, "typ": typ, "ver": ...}
        text = signing_input(payload, **header)
        numbers = decode_dss_signature(self._private.sign(text.encode(), ECDSA(SHA256())))
        return f"{text}.{base64url(b''.join(_octets(number) for number in numbers))}"


def _public_jwk(key: EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    x, y = base64url(_octets(numbers.x)), base64url(_octets(numbers.y))
    required = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    # RFC 7638 §3: only these members, sorted, without white space.
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    kid = base64url(hashlib.sha256(canonical.encode()).digest())
    return {**required, "alg": ALGORITHM, "use": "sig", "kid": kid}


def _octets(number: int) -> bytes:
    return number.to_bytes(_OCTETS, "big")
