"""Sign `Fastgate-Identity` headers as an edge does.

Input: a caller, and the judgement of an edge about a request. Output: the payload of the contract
(docs/concepts/identity-header.md) and its compact JWS, by ES256 or HS256. It verifies nothing.
"""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fastgate.keys.origin import KEY_BYTES, OriginKey
from fastgate.local_rules import LocalCaller

LIFETIME_SECONDS = 30


class SigningKey:
    """The ES256 signing key of an edge."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._private_key = private_key or ec.generate_private_key(ec.SECP256R1())
        self.public_key = self._private_key.public_key()
        numbers = self.public_key.public_numbers()
        point = {"crv": "P-256", "kty": "EC"}
        point |= {"x": base64url(numbers.x.to_bytes(32)), "y": base64url(numbers.y.to_bytes(32))}
        # RFC 7638 §3: only the required members, sorted, without white space.
        canonical = json.dumps(point, sort_keys=True, separators=(",", ":")).encode()
        self.kid = base64url(hashlib.sha256(canonical).digest())
        self.jwk: dict[str, object] = {**point, "kid": self.kid, "use": "sig", "alg": "ES256"}

    @classmethod
    def of_jwk(cls, jwk: Mapping[str, object]) -> "SigningKey":
        """Return the private key of a JWK. Raises `ValueError` if it is not a key on P-256."""
        secret = jwk.get("d")
        if jwk.get("crv") != "P-256" or not isinstance(secret, str):
            raise ValueError("not a private key on P-256")
        number = int.from_bytes(base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)))
        return cls(ec.derive_private_key(number, ec.SECP256R1()))

    def origin_key(self, audience: str) -> OriginKey:
        """Return the key with which an edge with this key signs for one origin (HS256)."""
        return OriginKey(self.origin_secret(audience))

    def origin_jwk(self, audience: str) -> dict[str, object]:
        """Return the key of one origin as `fastgate keys origin` prints it."""
        secret = base64url(self.origin_secret(audience))
        return {"kty": "oct", "alg": "HS256", "use": "sig", "kid": self.kid, "k": secret}

    def origin_secret(self, audience: str) -> bytes:
        """Return the 32 bytes of the origin's key, derived from this key and the audience."""
        secret = self._private_key.private_numbers().private_value.to_bytes(KEY_BYTES)
        # RFC 5869, with an empty salt: the contract, docs/concepts/identity-header.md.
        purpose = f"Fastgate-Identity HS256 {audience}".encode()
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(secret)

    def sign(self, payload: Mapping[str, object], **header: object) -> str:
        """Return the compact JWS of a payload. `header` adds or changes header members."""
        signing_input = self.signing_input(payload, **header)
        return f"{signing_input}.{self.signature(signing_input.encode())}"

    def sign_for(self, audience: str, payload: Mapping[str, object], **header: object) -> str:
        """Return the compact JWS of a payload, by the MAC of one origin (HS256)."""
        signing_input = self.signing_input(payload, **{"alg": "HS256", **header})
        return f"{signing_input}.{base64url(self.origin_key(audience).mac(signing_input.encode()))}"

    def signing_input(self, payload: Mapping[str, object], **header: object) -> str:
        """Return the signing input: the first two parts of a compact JWS (RFC 7515 §5.1)."""
        jose = {"alg": "ES256", "typ": "txntoken+jwt", "kid": self.kid, **header}
        return ".".join(base64url(_compact(part)) for part in (jose, payload))

    def signature(self, signing_input: bytes) -> str:
        """Return the signature of any bytes in the format of a JWS (RFC 7518 §3.4)."""
        der = self._private_key.sign(signing_input, ec.ECDSA(SHA256()))
        r, s = decode_dss_signature(der)
        return base64url(r.to_bytes(32) + s.to_bytes(32))


def contract(
    issuer: str, audience: str, tctx: Mapping[str, object], claims: Mapping[str, object]
) -> dict[str, object]:
    """Return the payload of the contract, valid from now."""
    now = int(time.time())
    return {
        "iss": issuer,
        "aud": audience,
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "txn": str(uuid.uuid4()),
        "tctx": dict(tctx),
        **claims,
    }


def identity_claims(caller: LocalCaller | None) -> dict[str, object]:
    """Return `sub`, `scope` and `rctx`."""
    if caller is None:
        return {"rctx": {}}
    rctx = {
        "iss": caller.issuer,
        "client_id": caller.client_id,
        "country": caller.country,
        "token_exp": caller.token_expires_at,
    }
    claims: dict[str, object] = {"sub": caller.subject, "scope": " ".join(caller.scopes)}
    known = {name: value for name, value in claims.items() if value}
    return {**known, "rctx": {name: value for name, value in rctx.items() if value is not None}}


def base64url(octets: bytes) -> str:
    """Encode without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _compact(part: Mapping[str, object]) -> bytes:
    # The edge writes no white space, and no escapes for characters beyond ASCII.
    return json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode()
