"""The public keys of gateways: from a JWK Set, or one PEM document for each key.

Input: a `Gateway`, and the `kid` of an unverified assertion. Output: the key, `KeyUnknown`, or
`KeysUnavailable`. The limits of `keys.source` hold: unverified requests do not determine how often
keys are fetched.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, Unpack

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from fastgate.base64url import from_base64url
from fastgate.errors import JwksRefused, KeysUnavailable, KeyUnknown
from fastgate.gateways.gateway import Algorithm, Gateway, Members
from fastgate.gateways.verify import PublicKey
from fastgate.keys.jwks import by_kid, entries_of
from fastgate.keys.source import FetchedKeys, Limits

KEYS_HELD = 16
"""The number of PEM keys that are held at the same time."""
UNKNOWN_PER_COOL_DOWN = 4
"""The number of unknown names of PEM keys that may cause a fetch in each cool-down."""
COOL_DOWN = 30.0
"""The length of that period: seconds."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LEAST_RSA_BITS = 2048  # RFC 7518 §3.3
_MOST_RSA_BITS = 8192
_COORDINATE = 32


class GatewayKeys(Protocol):
    """The interface by which `assertions` gets a key."""

    async def key(self, kid: str) -> PublicKey:
        """Return a key. Raises `KeyUnknown` or `KeysUnavailable`."""


def keys_of(gateway: Gateway, **limits: Unpack[Limits]) -> GatewayKeys:
    """Return a new source of the keys of a gateway. It caches them."""
    return PemKeys(gateway, **limits) if gateway.key_per_url else JwkSetKeys(gateway, **limits)


class JwkSetKeys(FetchedKeys[PublicKey]):
    """The keys of a gateway that publishes a JWK Set (RFC 7517 §5)."""

    def __init__(self, gateway: Gateway, **limits: Unpack[Limits]) -> None:
        super().__init__(gateway.keys_url, **limits)
        self._algorithm = gateway.algorithm

    def _read(self, document: bytes) -> Mapping[str, PublicKey]:
        return read_jwk_set(document, self._algorithm)

    async def key(self, kid: str) -> PublicKey:
        """Return a key. Raises `KeyUnknown` or `KeysUnavailable`."""
        keys = await self.current()
        if kid not in keys:
            # The gateway may have rotated its key. The source decides whether to fetch again.
            keys = await self.refreshed()
        if kid not in keys:
            raise KeyUnknown
        return keys[kid]


class PemKeys:
    """The keys of a gateway that publishes each key below its own URL.

    A `kid` becomes part of a URL only if it is a UUID. Anybody can name keys, so at most
    `UNKNOWN_PER_COOL_DOWN` keys that are not held are fetched in `COOL_DOWN` seconds. For further
    ones the response is 503, because they may exist.
    """

    def __init__(self, gateway: Gateway, **limits: Unpack[Limits]) -> None:
        self._url = gateway.keys_url
        self._limits = limits
        self._clock: Callable[[], float] = limits.get("clock", time.monotonic)
        self._held: OrderedDict[str, _PemKey] = OrderedDict()
        self._began = float("-inf")
        self._unknown = 0

    async def key(self, kid: str) -> PublicKey:
        """Return a key. Raises `KeyUnknown` or `KeysUnavailable`."""
        if not _UUID.fullmatch(kid):
            raise KeyUnknown
        source = self._held.get(kid)
        if source is None:
            source = self._added(kid)
        if source.is_absent:
            raise KeyUnknown
        try:
            keys = await source.current()
        except KeysUnavailable:
            if source.is_absent:
                raise KeyUnknown from None
            raise
        self._held[kid] = source
        self._held.move_to_end(kid)
        return keys[kid]

    def _added(self, kid: str) -> "_PemKey":
        now = self._clock()
        if now - self._began >= COOL_DOWN:
            self._began, self._unknown = now, 0
        if self._unknown >= UNKNOWN_PER_COOL_DOWN:
            raise KeysUnavailable
        self._unknown += 1
        while len(self._held) >= KEYS_HELD:
            # Names without a key go first, then the key that was used least recently.
            useless = (name for name, each in self._held.items() if not each.has_keys)
            self._held.pop(next(useless, next(iter(self._held))))
        source = self._held[kid] = _PemKey(self._url, kid, **self._limits)
        return source


class _PemKey(FetchedKeys[PublicKey]):
    """One key, which is an EC key on P-256 in the form `SubjectPublicKeyInfo`."""

    def __init__(self, url: str, kid: str, **limits: Unpack[Limits]) -> None:
        super().__init__(f"{url}/{kid}", **limits)
        self._kid = kid

    @property
    def is_absent(self) -> bool:
        """Whether the server responded less than a cool-down ago that it has no such key."""
        responded = self.failure not in (None, "unreachable", "not-fetched")
        return not self.has_keys and responded and self._clock() - self._failed_at < COOL_DOWN

    def _read(self, document: bytes) -> Mapping[str, PublicKey]:
        try:
            key = load_pem_public_key(document)
        except Exception as error:  # of several types, also of unsupported algorithms
            raise JwksRefused("not-pem") from error
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise JwksRefused("no-usable-key")
        return {self._kid: key}


def read_jwk_set(document: bytes, algorithm: Algorithm) -> Mapping[str, PublicKey]:
    """Return the keys in `document` for one algorithm: at least one. Others are ignored.

    Raises:
        JwksRefused: the document is not a JWK Set, holds no usable key, or has a `kid` twice.

    """
    return by_kid(_usable(entries_of(document), algorithm))


def _usable(entries: list[object], algorithm: Algorithm) -> Iterator[tuple[str, PublicKey]]:
    for entry in entries:
        # Anyone can sign with a key whose secret half is published.
        if not isinstance(entry, dict) or not {"d", "k"}.isdisjoint(entry):
            continue
        kid, operations = entry.get("kid"), entry.get("key_ops", ["verify"])
        if not isinstance(kid, str) or not kid or entry.get("use", "sig") != "sig":
            continue
        if entry.get("alg", algorithm) != algorithm:
            continue
        if not isinstance(operations, list) or "verify" not in operations:
            continue
        key = _ec_key(entry) if algorithm == "ES256" else _rsa_key(entry)
        if key is not None:
            yield kid, key


def _ec_key(entry: Members) -> PublicKey | None:
    x, y = _octets(entry, "x"), _octets(entry, "y")
    if (entry.get("kty"), entry.get("crv")) != ("EC", "P-256"):
        return None
    if x is None or y is None or {len(x), len(y)} != {_COORDINATE}:
        return None
    try:
        numbers = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), SECP256R1())
        return numbers.public_key()
    except ValueError:  # not a point on the curve
        return None


def _rsa_key(entry: Members) -> PublicKey | None:
    n, e = _octets(entry, "n"), _octets(entry, "e")
    if entry.get("kty") != "RSA" or n is None or e is None or len(n) > _MOST_RSA_BITS // 8:
        return None
    try:
        key = RSAPublicNumbers(int.from_bytes(e), int.from_bytes(n)).public_key()
    except ValueError:
        return None
    return key if key.key_size >= _LEAST_RSA_BITS else None


def _octets(entry: Members, name: str) -> bytes | None:
    value = entry.get(name)
    if not isinstance(value, str) or not value.isascii():
        return None
    try:
        return from_base64url(value.encode())
    except ValueError:
        return None
