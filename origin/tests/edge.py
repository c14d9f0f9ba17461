"""An edge for tests: it mints headers as the contract says, and wrong ones if a test needs them."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fastgate import Settings

ISSUER = "https://edge.example"
AUDIENCE = "orders"
IDP = "https://idp.example"
HEADER = "Fastgate-Identity"
HOST = "testserver"
"""The `Host` of requests in tests: the one that Starlette's `TestClient` sends."""
HOST_FIELD = (b"host", HOST.encode())


def base64url(octets: bytes) -> str:
    """Encode without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Edge:
    """One edge with one signing key."""

    def __init__(self) -> None:
        self.private_key = Ed25519PrivateKey.generate()
        public = self.private_key.public_key().public_bytes_raw()
        key = {"crv": "Ed25519", "kty": "OKP", "x": base64url(public)}
        canonical = json.dumps(key, sort_keys=True, separators=(",", ":")).encode()
        self.kid = base64url(hashlib.sha256(canonical).digest())
        self.jwk: dict[str, object] = {**key, "kid": self.kid, "use": "sig", "alg": "EdDSA"}
        self.jwks: dict[str, object] = {"keys": [self.jwk]}

    def settings(self, **changes: object) -> Settings:
        """Return settings of an origin that holds this edge's key."""
        members: dict[str, object] = {"edge": ISSUER, "audience": AUDIENCE, "keys": self.jwks}
        return Settings(**{**members, **changes})  # type: ignore[arg-type]

    def jose_header(self) -> dict[str, object]:
        """Return the JOSE header of the contract."""
        return {"alg": "EdDSA", "typ": "txntoken+jwt", "ver": 2, "kid": self.kid}

    def sign(
        self, payload: Mapping[str, object] | bytes, header: Mapping[str, object] | bytes = b""
    ) -> bytes:
        """Sign any payload under any header, as objects or as the very bytes of their JSON."""
        raw_header = header if isinstance(header, bytes) else json.dumps(header).encode()
        raw_payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        raw_header = raw_header or json.dumps(self.jose_header()).encode()
        signing_input = f"{base64url(raw_header)}.{base64url(raw_payload)}".encode()
        signature = base64url(self.private_key.sign(signing_input)).encode()
        return signing_input + b"." + signature

    def mint(
        self,
        path: str = "/orders/7",
        template: str = "/orders/{order_id}",
        *,
        method: str = "GET",
        host: str = HOST,
        query: bytes = b"",
        scope: str = "orders:read",
        now: float | None = None,
        websocket: bool = False,
    ) -> bytes:
        """Mint the header for one request of the caller `ada`."""
        claims = payload(
            path, template, method=method, host=host, query=query, scope=scope, now=now
        )
        return self.sign(opening(claims) if websocket else claims)

    def mint_anonymous(self, path: str, template: str) -> bytes:
        """Mint the header for a request of an anonymous caller."""
        claims = payload(path, template, scope="")
        del claims["sub"]
        return self.sign({**claims, "rctx": {"country": "DE"}})

    def headers(self, path: str, template: str, **changes: str | bytes | bool) -> dict[str, str]:
        """Return the header of `mint` in the form that client libraries expect."""
        return {HEADER: self.mint(path, template, **changes).decode()}  # type: ignore[arg-type]


def opening(claims: dict[str, object]) -> dict[str, object]:
    """Return the claims of a GET as those of a WebSocket's opening handshake."""
    tctx = claims["tctx"]
    assert isinstance(tctx, dict)
    return {**claims, "tctx": {**tctx, "websocket": True}}


def payload(
    path: str = "/orders/7",
    template: str = "/orders/{order_id}",
    *,
    method: str = "GET",
    host: str = HOST,
    query: bytes = b"",
    scope: str = "orders:read",
    now: float | None = None,
) -> dict[str, object]:
    """Return the claims of the contract, all of them, for one request."""
    issued_at = int(time.time() if now is None else now)
    tctx = {"route": "read_order", "template": template, "method": method}
    tctx |= {"host": host, "path": path}
    if query:
        tctx["query"] = base64url(hashlib.sha256(query).digest())
    return {
        "iss": ISSUER,
        "req_wl": ISSUER,
        "aud": AUDIENCE,
        "iat": issued_at,
        "exp": issued_at + 30,
        "txn": "01J9Z",
        "sub": "ada",
        "scope": scope,
        "tctx": tctx,
        "rctx": {"iss": IDP, "client_id": "shop", "country": "DE"},
    }
