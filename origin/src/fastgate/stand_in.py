"""Stand in for the edge where there is none: in tests, and on a developer's own machine.

In: an app and the caller that requests shall come from. Out: `Fastgate-Identity` headers as the
edge would sign them, by a throwaway key that only this process knows. It finds the route as the
edge does, in the app's own route table; it lets anybody pass, so that the app has to refuse.
"""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cmp_to_key

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.routing import compile_path
from starlette.types import Scope

from fastgate.endpoints import Endpoint, Kind, endpoints
from fastgate.policy import access_of, methods_of
from fastgate.template import Template, TemplateRefused

LIFETIME_SECONDS = 30


@dataclass(frozen=True, slots=True)
class StandInCaller:
    """Who is calling, where no identity provider is asked."""

    subject: str
    scopes: tuple[str, ...] = ()
    issuer: str = "https://stand-in.invalid"
    client_id: str | None = None
    country: str | None = None


class SigningKey:
    """An ES256 key as an edge has it."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._private_key = private_key or ec.generate_private_key(ec.SECP256R1())
        numbers = self._private_key.public_key().public_numbers()
        point = {"crv": "P-256", "kty": "EC"}
        point |= {"x": base64url(numbers.x.to_bytes(32)), "y": base64url(numbers.y.to_bytes(32))}
        # RFC 7638 §3: the required members alone, sorted, without white space.
        canonical = json.dumps(point, sort_keys=True, separators=(",", ":")).encode()
        self.kid = base64url(hashlib.sha256(canonical).digest())
        self.jwk: dict[str, object] = {**point, "kid": self.kid, "use": "sig", "alg": "ES256"}

    @classmethod
    def of_jwk(cls, jwk: Mapping[str, object]) -> "SigningKey":
        """Return the private key of a JWK. Raises `ValueError` if it is not one on P-256."""
        secret = jwk.get("d")
        if jwk.get("crv") != "P-256" or not isinstance(secret, str):
            raise ValueError("not a private key on P-256")
        number = int.from_bytes(base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)))
        return cls(ec.derive_private_key(number, ec.SECP256R1()))

    def sign(self, payload: Mapping[str, object], **header: object) -> str:
        """Return the compact JWS of a payload; `header` adds to the contract's, or changes it."""
        jose = {"alg": "ES256", "typ": "txntoken+jwt", "kid": self.kid, **header}
        parts = (base64url(json.dumps(part).encode()) for part in (jose, payload))
        signing_input = ".".join(parts)
        return f"{signing_input}.{self.signature(signing_input.encode())}"

    def signature(self, signing_input: bytes) -> str:
        """Return the signature of any bytes, as it stands in a JWS (RFC 7518 §3.4)."""
        der = self._private_key.sign(signing_input, ec.ECDSA(SHA256()))
        r, s = decode_dss_signature(der)
        return base64url(r.to_bytes(32) + s.to_bytes(32))


class StandInEdge:
    """An edge in this process, for one app."""

    def __init__(self, app: object, *, issuer: str, audience: str) -> None:
        self.issuer, self.audience = issuer, audience
        self.key = SigningKey()
        self._routes = _Routes(endpoints(app))
        self.jwks: dict[str, object] = {"keys": [self.key.jwk]}

    def header_for(self, scope: Scope, caller: StandInCaller | None) -> bytes:
        """Return the header for the request of an ASGI scope; None is an anonymous caller."""
        # A WebSocket starts as a GET (RFC 6455 §4.1).
        method = "GET" if scope["type"] == "websocket" else scope["method"]
        route, template, public = self._routes.find(method, scope["path"])
        path = (scope.get("raw_path") or b"/").decode("latin-1")
        tctx = {"route": route, "template": template, "method": method, "path": path}
        if scope["query_string"]:
            tctx["query"] = base64url(hashlib.sha256(scope["query_string"]).digest())
        # On a public route the edge reads no token: nobody is known there.
        claims = identity_claims(None if public else caller)
        return self.key.sign(contract(self.issuer, self.audience, tctx, claims)).encode()


def contract(
    issuer: str, audience: str, tctx: Mapping[str, str], claims: Mapping[str, object]
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


def identity_claims(caller: StandInCaller | None) -> dict[str, object]:
    """Return `sub`, `scope` and `rctx`."""
    if caller is None:
        return {"rctx": {}}
    rctx = {"iss": caller.issuer, "client_id": caller.client_id, "country": caller.country}
    claims: dict[str, object] = {"sub": caller.subject, "scope": " ".join(caller.scopes)}
    known = {name: value for name, value in claims.items() if value}
    return {**known, "rctx": {name: value for name, value in rctx.items() if value is not None}}


def base64url(octets: bytes) -> str:
    """Encode without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class _Routes:
    """An app's route table, in the order in which the edge tries it."""

    def __init__(self, found: Iterable[Endpoint]) -> None:
        listed: list[tuple[Template, Endpoint]] = []
        for endpoint in found:
            try:
                template = Template.parse(endpoint.template)
            except TemplateRefused:
                continue  # the edge would not name it, and so does nobody here
            if endpoint.kind is not Kind.BELOW:
                listed.append((template, endpoint))
        listed.sort(key=cmp_to_key(_most_specific_first))
        self._routes = [(compile_path(item.source)[0], entry) for item, entry in listed]

    def find(self, method: str, path: str) -> tuple[str, str, bool]:
        """Return name and template of the route, and whether it is public."""
        for pattern, endpoint in self._routes:
            if method in methods_of(endpoint) and pattern.match(path):
                return endpoint.name, endpoint.template, access_of(endpoint) == "public"
        return "none", "/none", False  # the app's router answers this one


def _most_specific_first(one: tuple[Template, Endpoint], two: tuple[Template, Endpoint]) -> int:
    return one[0].goes_before(two[0]) * -1 + two[0].goes_before(one[0])
