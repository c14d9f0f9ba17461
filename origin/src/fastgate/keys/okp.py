"""Keys of the type OKP (RFC 8037 §2), as JSON Web Keys write them.

Input: members of a JWK. Output: their octets, and the thumbprint that is the key's `kid`. Only the
canonical spelling of base64url is accepted. It knows nothing about the purpose of a key.
"""

import hashlib

from fastgate.base64url import base64url, from_base64url

OCTETS = 32
"""The length of every public and private key on Ed25519 and X25519."""
ED25519, X25519 = "Ed25519", "X25519"

_PRIME = 2**255 - 19
_D = -121665 * pow(121666, -1, _PRIME) % _PRIME
# The points of order 8 have this y, or its negative.
_SMALL_ORDER_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022


def octets_of(value: object) -> bytes | None:
    """Return the 32 octets that `value` encodes; None unless it is their one spelling.

    Base64url without padding (RFC 7515 §2), 43 characters, and the two unused bits are zero.
    """
    if not isinstance(value, str) or not value.isascii():
        return None
    try:
        octets = from_base64url(value.encode())
    except ValueError:
        return None
    return octets if len(octets) == OCTETS else None


def thumbprint(curve: str, public: bytes) -> bytes:
    """Return the 32 octets of the SHA-256 thumbprint of a public key (RFC 7638 §3)."""
    # Only the required members, sorted, without white space (RFC 8037 §2).
    canonical = f'{{"crv":"{curve}","kty":"OKP","x":"{base64url(public)}"}}'
    return hashlib.sha256(canonical.encode()).digest()


def public_jwk(curve: str, public: bytes) -> dict[str, object]:
    """Return the public JWK of a key, with its thumbprint as `kid`."""
    use: dict[str, object] = {"use": "sig", "alg": "EdDSA"} if curve == ED25519 else {"use": "enc"}
    kid = base64url(thumbprint(curve, public))
    return {"kty": "OKP", "crv": curve, "x": base64url(public), **use, "kid": kid}


def is_reduced(public: bytes) -> bool:
    """Whether these octets are a number below 2^255-19: other spellings of a key are refused."""
    return int.from_bytes(public, "little") < _PRIME


def is_usable_ed25519(public: bytes) -> bool:
    """Whether these octets encode a point on Ed25519 whose order is not small.

    Under a point of small order, one signature is valid for many messages, and the key belongs to
    no private key. `cryptography` accepts such points, and encodings that RFC 8032 §5.1.3 refuses.
    """
    number = int.from_bytes(public, "little")
    y = number & ((1 << 255) - 1)
    if y >= _PRIME or min(y, _PRIME - y) in (0, 1, _SMALL_ORDER_Y):
        return False
    # RFC 8032 §5.1.3: x² = (y² - 1) / (d y² + 1) has a root, by Euler's criterion.
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _PRIME) % _PRIME
    return pow(square, (_PRIME - 1) // 2, _PRIME) == 1
