"""Base64url without padding (RFC 7515 §2), in its one canonical spelling.

Input: octets, or their encoding. Output: the other of the two. The standard library ignores unused
bits, and accepts other alphabets. This does not, because two spellings of one token or key would
be two tokens or keys to a caller that compares them.
"""

import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64

SHA256 = re.compile(r"[A-Za-z0-9_-]{43}")
"""The form of an encoded SHA-256."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# From base64url to base64. Every foreign octet becomes "!", which the strict decoder refuses.
_TO_BASE64 = b"".join(
    {b"-": b"+", b"_": b"/"}.get(octet, octet if octet in _ALPHABET else b"!")
    for octet in (bytes([number]) for number in range(256))
)
# The index is the number of characters after the last complete group of four. `_PADDING` is the
# missing padding. `_LAST` holds the allowed last characters: those whose unused bits are zero. A
# group of one character is invalid, because it encodes less than an octet.
_PADDING = (b"", b"", b"==", b"=")
_LAST: tuple[tuple[bytes, ...], ...] = (
    (b"",),
    (),
    tuple(_ALPHABET[at : at + 1] for at in range(0, 64, 16)),
    tuple(_ALPHABET[at : at + 1] for at in range(0, 64, 4)),
)


def base64url(octets: bytes) -> str:
    """Return the encoding of these octets."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def from_base64url(text: bytes) -> bytes:
    """Return the octets that `text` encodes.

    Raises:
        ValueError: it is not their one spelling.

    """
    spare = len(text) % 4
    if not text.endswith(_LAST[spare]):
        raise ValueError("not base64url without padding")
    return a2b_base64(text.translate(_TO_BASE64) + _PADDING[spare], strict_mode=True)
