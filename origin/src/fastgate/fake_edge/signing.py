"""Sign `Fastgate-Identity` headers as an edge does.

Input: a caller, and the judgement of an edge about a request. Output: the payload of the contract
(docs/concepts/identity-header.md) and its compact JWS, by EdDSA or HS256. It verifies nothing.
"""

import json
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fastgate.base64url import base64url
from fastgate.keys.jwks import ExchangeKey
from fastgate.keys.okp import ED25519, X25519, octets_of, public_jwk
from fastgate.keys.origin import MacKey, PrivateKey, mac_key, mac_kid, private_key
from fastgate.local_rules import LocalCaller
from fastgate.verify import EDDSA, HS256, TYPE, VERSION

LIFETIME_SECONDS = 30


class SigningKey:
    """The key on Ed25519 with which an edge signs (EdDSA, RFC 8037 §3.1)."""

    def __init__(self, private_key: Ed25519PrivateKey | None = None) -> None:
        self.private_key = private_key or Ed25519PrivateKey.generate()
        self.jwk = public_jwk(ED25519, self.private_key.public_key().public_bytes_raw())
        self.kid = str(self.jwk["kid"])

    @property
    def private_jwk(self) -> dict[str, object]:
        """The private JWK, as in the edge's secret `signing-keys`."""
        return {**self.jwk, "d": base64url(self.private_key.private_bytes_raw())}

    @classmethod
    def of_jwk(cls, jwk: Mapping[str, object]) -> "SigningKey":
        """Return the key of a private JWK. Raises `ValueError` if it is not one on Ed25519."""
        secret = octets_of(jwk.get("d"))
        if (jwk.get("kty"), jwk.get("crv")) != ("OKP", ED25519) or secret is None:
            raise ValueError("not a private key on Ed25519")
        return cls(Ed25519PrivateKey.from_private_bytes(secret))

    def sign(self, payload: Mapping[str, object], **header: object) -> str:
        """Return the compact JWS of a payload. `header` adds or changes header members."""
        text = signing_input(payload, **{"alg": EDDSA, "kid": self.kid, **header})
        return f"{text}.{base64url(self.signature(text.encode()))}"

    def signature(self, signed: bytes) -> bytes:
        """Return the signature of any bytes, 64 octets."""
        return self.private_key.sign(signed)


class MacSigner(NamedTuple):
    """The MAC key of one edge and one origin, and its name."""

    kid: str
    key: MacKey

    def sign(self, payload: Mapping[str, object], **header: object) -> str:
        """Return the compact JWS of a payload. `header` adds or changes header members."""
        text = signing_input(payload, **{"alg": HS256, "kid": self.kid, **header})
        return f"{text}.{base64url(self.signature(text.encode()))}"

    def signature(self, signed: bytes) -> bytes:
        """Return the MAC of any bytes, 32 octets."""
        return self.key.mac(signed)


class EdgeExchangeKey:
    """The key on X25519 from which an edge derives the MAC keys of origins."""

    def __init__(self, private: PrivateKey | None = None) -> None:
        self._private = private or PrivateKey(X25519PrivateKey.generate())
        self.public = self._private.public
        self.jwk = self._private.public_jwk

    @property
    def private_jwk(self) -> dict[str, object]:
        """The private JWK, as in the edge's secret `signing-keys`."""
        return self._private.private_jwk

    @classmethod
    def of_jwk(cls, jwk: Mapping[str, object]) -> "EdgeExchangeKey":
        """Return the key of a private JWK. Raises `JwksRefused` if it is not one on X25519."""
        return cls(private_key(jwk))

    def for_origin(self, origin: ExchangeKey, audience: str) -> MacSigner:
        """Return the signer for the origin with this public key."""
        secret = self._private.shared_with(origin)
        key = mac_key(secret, self.public, origin, audience)
        return MacSigner(mac_kid(self.public, origin), key)


class EdgeKeys(NamedTuple):
    """The private keys of an edge."""

    signing: SigningKey
    exchange: EdgeExchangeKey | None

    @classmethod
    def of_jwks(cls, document: Mapping[str, object]) -> "EdgeKeys":
        """Return the keys with which an edge with this secret `signing-keys` signs: the first ones.

        Raises:
            ValueError: the document is not a private JWK Set with a key on Ed25519.
            JwksRefused: the first key on X25519 is not a private key.

        """
        keys = document.get("keys")
        found = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
        signing = [key for key in found if key.get("crv") == ED25519]
        exchange = [key for key in found if key.get("crv") == X25519]
        if not signing:
            raise ValueError("holds no private key on Ed25519")
        return cls(
            SigningKey.of_jwk(signing[0]),
            EdgeExchangeKey.of_jwk(exchange[0]) if exchange else None,
        )


def signing_input(payload: Mapping[str, object], **header: object) -> str:
    """Return the signing input: the first two parts of a compact JWS (RFC 7515 §5.1).

    Ellipsis removes a header member.
    """
    members = {"alg": EDDSA, "typ": TYPE, "ver": VERSION, **header}
    jose = {name: value for name, value in members.items() if value is not ...}
    return ".".join(base64url(_compact(part)) for part in (jose, payload))


def contract(
    issuer: str, audience: str, tctx: Mapping[str, object], claims: Mapping[str, object]
) -> dict[str, object]:
    """Return the payload of the contract, valid from now."""
    now = int(time.time())
    return {
        "iss": issuer,
        "req_wl": issuer,
        "aud": audience,
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "txn": str(uuid.uuid4()),
        "tctx": dict(tctx),
        **claims,
    }


def identity_claims(caller: LocalCaller | None, forward: object = ()) -> dict[str, object]:
    """Return `sub`, `scope` and `rctx`. `forward` is the list that the route declares."""
    if caller is None:
        return {"scope": "", "rctx": {}}
    entries = forward if isinstance(forward, (list, tuple)) else ()
    groups = () if caller.groups is None and "groups" in entries else caller.groups
    # The token of the caller has no claim that is not written here.
    claims = {**dict.fromkeys(_names_of_claims(entries)), **caller.claims}
    rctx = {
        "iss": caller.issuer,
        "client_id": caller.client_id,
        "country": caller.country,
        "token_exp": caller.token_expires_at,
        "roles": sorted(caller.roles) or None,
        "groups": None if groups is None else sorted(groups),
        "tenant": caller.tenant,
        "claims": claims or None,
        "auth_time": caller.authenticated_at,
        "acr": caller.acr,
        "sid": caller.session_id,
        "cnf": _confirmation(caller),
    }
    return {
        "sub": caller.subject,
        "scope": " ".join(caller.scopes),
        "rctx": {name: value for name, value in rctx.items() if value is not None},
    }


def shared_claims(
    claims: Mapping[str, object], shared: Collection[str], required: object
) -> dict[str, object]:
    """Return what `identity_claims` has of a caller, as far as those who share a response share it.

    Args:
        claims: `sub`, `scope` and `rctx` of the caller.
        shared: what they have in common, as in `tctx.shared`.
        required: the scopes that the route requires. The edge would refuse a caller without one, so
            one that the caller lacks is left out, and the app refuses.

    """
    rctx, held = claims["rctx"], str(claims["scope"]).split(" ")
    found = rctx if isinstance(rctx, dict) else {}
    scopes = [each for each in required if each in held] if isinstance(required, list) else []
    kept = {name: value for name, value in found.items() if name in _IN_COMMON and name in shared}
    if found.get("iss") and shared:
        kept["iss"] = found["iss"]
        paths = {each.removeprefix("claim:") for each in shared if each.startswith("claim:")}
        of_token = found.get("claims", {})
        kept |= {"groups": found.get("groups", [])} if "groups" in shared else {}
        kept |= {"claims": {name: of_token.get(name) for name in sorted(paths)}} if paths else {}
    sub = {"sub": claims["sub"]} if kept.get("iss") and "caller" in shared else {}
    return {**sub, "scope": " ".join(scopes), "rctx": kept}


_IN_COMMON = ("roles", "tenant")


def _confirmation(caller: LocalCaller) -> dict[str, str] | None:
    """Return `cnf`, the key or certificate of a bound token (RFC 7800 §3.1)."""
    if (bound := caller.confirmation) is None:
        return None
    members = {"jkt": bound.jkt, "x5t#S256": bound.x5t_s256}
    return {name: value for name, value in members.items() if value is not None}


def _names_of_claims(entries: Iterable[object]) -> Iterator[str]:
    """Yield the names by which the app reads the claims of a list `forward`."""
    for entry in entries:
        if isinstance(entry, Mapping) and isinstance(name := entry.get("as", entry["claim"]), str):
            yield name


def _compact(part: Mapping[str, object]) -> bytes:
    # The edge writes no white space, and no escapes for characters beyond ASCII.
    return json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode()
