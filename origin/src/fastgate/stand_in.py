"""Stand in for the edge where there is none: in tests, and on a developer's own machine.

In: an app and the caller that requests shall come from. Out: `Fastgate-Identity` headers as the
edge would sign them, by a throwaway key that only this process knows. It finds the route as the
edge does, in the app's own route table; it lets anybody pass, so that the app has to refuse.
"""

import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cmp_to_key
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.routing import compile_path
from starlette.types import Scope

from fastgate.content import content_digest
from fastgate.endpoints import Endpoint, Kind, endpoints
from fastgate.names import UNNAMED
from fastgate.naming import access_of, ids_of, methods_of, named, requests_of
from fastgate.origin_keys import KEY_BYTES, OriginKey
from fastgate.routing import (
    WEBSOCKET,
    apps_within,
    effective_routes,
    routed_app,
    signed_root_of,
)
from fastgate.template import Template, TemplateRefused

LIFETIME_SECONDS = 30


@dataclass(frozen=True, slots=True)
class LocalCaller:
    """Who is calling, where no identity provider is asked."""

    subject: str
    scopes: tuple[str, ...] = ()
    issuer: str = "https://stand-in.invalid"
    client_id: str | None = None
    country: str | None = None
    token_expires_at: int | None = None
    """When the token that this caller would have expires: Unix time, seconds."""


class SigningKey:
    """An ES256 key as an edge has it."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._private_key = private_key or ec.generate_private_key(ec.SECP256R1())
        self.public_key = self._private_key.public_key()
        numbers = self.public_key.public_numbers()
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

    def origin_key(self, audience: str) -> OriginKey:
        """Return the key by which an edge with this key signs for one origin (HS256)."""
        return OriginKey(self.origin_secret(audience))

    def origin_jwk(self, audience: str) -> dict[str, object]:
        """Return that key as `fastgate keys origin` prints it."""
        secret = base64url(self.origin_secret(audience))
        return {"kty": "oct", "alg": "HS256", "use": "sig", "kid": self.kid, "k": secret}

    def origin_secret(self, audience: str) -> bytes:
        """Return its 32 bytes, derived from this key and the audience."""
        secret = self._private_key.private_numbers().private_value.to_bytes(KEY_BYTES)
        # RFC 5869, with an empty salt: the contract, docs/concepts/identity-header.md.
        purpose = f"Fastgate-Identity HS256 {audience}".encode()
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(secret)

    def sign(self, payload: Mapping[str, object], **header: object) -> str:
        """Return the compact JWS of a payload; `header` adds to the contract's, or changes it."""
        signing_input = self.signing_input(payload, **header)
        return f"{signing_input}.{self.signature(signing_input.encode())}"

    def sign_for(self, audience: str, payload: Mapping[str, object], **header: object) -> str:
        """Return the same by the MAC of one origin (HS256)."""
        signing_input = self.signing_input(payload, **{"alg": "HS256", **header})
        return f"{signing_input}.{base64url(self.origin_key(audience).mac(signing_input.encode()))}"

    def signing_input(self, payload: Mapping[str, object], **header: object) -> str:
        """Return what is signed: the first two parts of a compact JWS (RFC 7515 §5.1)."""
        jose = {"alg": "ES256", "typ": "txntoken+jwt", "kid": self.kid, **header}
        return ".".join(base64url(_compact(part)) for part in (jose, payload))

    def signature(self, signing_input: bytes) -> str:
        """Return the signature of any bytes, as it stands in a JWS (RFC 7518 §3.4)."""
        der = self._private_key.sign(signing_input, ec.ECDSA(SHA256()))
        r, s = decode_dss_signature(der)
        return base64url(r.to_bytes(32) + s.to_bytes(32))


class StandInEdge:
    """An edge in this process, for one app."""

    def __init__(
        self, app: object, *, issuer: str, audience: str, key: SigningKey | None = None
    ) -> None:
        self.issuer, self.audience = issuer, audience
        self.key = key or SigningKey()
        self._app = app
        self._listed = _listed(app)
        self._routes = _Routes(endpoints(app))
        self._root_path = signed_root_of(app)
        self.jwks: dict[str, object] = {"keys": [self.key.jwk]}

    def header_for(self, scope: Scope, caller: LocalCaller | None, content: bytes = b"") -> bytes:
        """Return the header for the request of an ASGI scope; None is an anonymous caller.

        `content` is its body, where the route `signs_body`.
        """
        route = self._route(scope)
        path = self._stripped(scope) + _raw_path(scope)
        tctx: dict[str, object] = {"route": route.id, "template": route.template}
        tctx |= {"method": _method(scope), "path": path}
        if scope["type"] == "websocket":
            tctx["websocket"] = True
        if scope["query_string"]:
            tctx["query"] = base64url(hashlib.sha256(scope["query_string"]).digest())
        if route.signs_body:
            tctx["content_digest"] = content_digest(content)
        # On a public route the edge reads no token: nobody is known there.
        claims = identity_claims(None if route.public else caller)
        return self.key.sign(contract(self.issuer, self.audience, tctx, claims)).encode()

    def signs_body(self, scope: Scope) -> bool:
        """Whether the edge would sign the body of this request."""
        return self._route(scope).signs_body

    def methods_at(self, scope: Scope) -> list[str] | None:
        """Return None if the edge has a route for this request; else the path's other methods."""
        return self._known().methods_at(_kind(scope), self._stripped(scope) + scope["path"])

    def _route(self, scope: Scope) -> "_Route":
        return self._known().find(_kind(scope), self._stripped(scope) + scope["path"])

    def _known(self) -> "_Routes":
        """Return the app's routes as they are now: it may add some when it starts, or later."""
        now = _listed(self._app)
        if len(now) != len(self._listed) or any(
            one is not two for one, two in zip(now, self._listed, strict=True)
        ):
            self._listed, self._routes = now, _Routes(endpoints(self._app))
        return self._routes

    def _stripped(self, scope: Scope) -> str:
        # Requests may come as behind the proxy that takes the app's root path off.
        root, path = self._root_path, scope["path"]
        return "" if path == root or path.startswith(root + "/") else root


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


def _method(scope: Scope) -> str:
    # A WebSocket starts as a GET (RFC 6455 §4.1).
    return "GET" if scope["type"] == "websocket" else str(scope["method"])


def _kind(scope: Scope) -> str:
    return WEBSOCKET if scope["type"] == "websocket" else _method(scope)


def _raw_path(scope: Scope) -> str:
    raw_path: bytes | None = scope.get("raw_path")
    # What a path may hold as it is: RFC 3986 §3.3.
    return (
        quote(scope["path"], "/!$&'()*+,;=:@") if raw_path is None else raw_path.decode("latin-1")
    )


@dataclass(frozen=True, slots=True)
class _Route:
    """What the edge knows of a route."""

    id: str
    template: str
    public: bool = False
    signs_body: bool = False


_NO_ROUTE = _Route("none", "/none")
"""The app's router answers this one."""


def _listed(app: object) -> list[object]:
    """Return the routes of an app and of those mounted in it, to see whether they change."""
    found = (each for within in apps_within(routed_app(app)) for each in effective_routes(within))
    return [route for route, _ in found]


def _compact(part: Mapping[str, object]) -> bytes:
    # As the edge writes it: no white space, no escapes for what is not ASCII.
    return json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode()


class _Routes:
    """An app's route table, in the order in which the edge tries it."""

    def __init__(self, found: Iterable[Endpoint]) -> None:
        listed: list[tuple[Template, Endpoint]] = []
        self._mounts: list[tuple[re.Pattern[str], str]] = []
        served = list(found)
        edges = named(served)
        self._ids = dict(zip(map(id, edges), ids_of(edges), strict=True))
        for endpoint in served:
            try:
                template = Template.parse(endpoint.template)
            except TemplateRefused:
                continue  # the edge would not name it, and so does nobody here
            if access_of(endpoint) == UNNAMED:
                continue  # nor this, by its author's word
            if endpoint.kind is Kind.BELOW:
                self._mounts.append((compile_path(template.source)[0], template.source))
            else:
                listed.append((template, endpoint))
        listed.sort(key=cmp_to_key(_most_specific_first))
        self._routes = [(compile_path(item.source)[0], entry) for item, entry in listed]

    def methods_at(self, method: str, path: str) -> list[str] | None:
        """Return None if there is a route; else the methods that the path has, perhaps none."""
        found: set[str] = set()
        for pattern, endpoint in self._routes:
            if pattern.match(path):
                found.update(requests_of(endpoint), methods_of(endpoint))
        return None if method in found else sorted(found - {WEBSOCKET})

    def find(self, method: str, path: str) -> _Route:
        """Return the most specific route; of an opening handshake by the method `WEBSOCKET`."""
        for pattern, endpoint in self._routes:
            if method in requests_of(endpoint) and pattern.match(path):
                return _Route(
                    self._ids.get(id(endpoint), endpoint.name),
                    endpoint.template,
                    access_of(endpoint) == "public",
                    bool(endpoint.declared.get("sign_body")),
                )
        for pattern, template in self._mounts:
            if pattern.match(path):
                return _Route("none", template)  # the mounted app's router answers
        return _NO_ROUTE


def _most_specific_first(one: tuple[Template, Endpoint], two: tuple[Template, Endpoint]) -> int:
    return one[0].goes_before(two[0]) * -1 + two[0].goes_before(one[0])
