"""An OpenID provider that can be switched off and changes one of its keys: RS256 and ES256 tokens."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "https://api.fastgate.example"
TOKEN_SECONDS = 7200


class Key:
    """A key pair with an id."""

    def __init__(self, kid: str, algorithm: str) -> None:
        self.kid, self.algorithm = kid, algorithm
        self.private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm == "RS256":
            self.private = rsa.generate_private_key(65537, 2048)
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())

    def jwk(self) -> dict[str, str]:
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            members = {"kty": "RSA", "n": _number(numbers.n, 256), "e": _number(numbers.e, 3)}
        else:
            point = public.public_numbers()
            members = {
                "kty": "EC",
                "crv": "P-256",
                "x": _number(point.x, 32),
                "y": _number(point.y, 32),
            }
        return {**members, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


def _number(value: int, octets: int) -> str:
    return urlsafe_b64encode(value.to_bytes(octets, "big")).decode().rstrip("=")


class Provider:
    """The provider: two permanent keys, and one that each rotation replaces."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.issuer = f"http://127.0.0.1:{port}"
        self.visits = 0
        self._lasting = {"RS256": Key("lasting-rsa", "RS256"), "ES256": Key("lasting-ec", "ES256")}
        self._unpublished = Key("unpublished", "ES256")
        self._rotating = [Key("rotating-0", "ES256")]
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.visits += 1
                body = json.dumps(provider._document(self.path)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("cache-control", "max-age=60")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stops accepting connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def rotate(self) -> None:
        """Signs with a new key at once. The previous key stays published; the one before is removed."""
        following = Key(f"rotating-{int(time.time() * 1000)}", "ES256")
        self._rotating = [following, *self._rotating[:1]]

    def _document(self, path: str) -> Mapping[str, object]:
        if path == "/jwks":
            return {"keys": [key.jwk() for key in (*self._lasting.values(), *self._rotating)]}
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"}

    def token(self, subject: str, algorithm: str, **claims: object) -> str:
        """A token signed with a permanent key."""
        return self._sign(self._lasting[algorithm], subject, claims)

    def rotated_token(self, subject: str) -> str:
        """A token signed with the newest key."""
        return self._sign(self._rotating[0], subject, {})

    def forged_token(self, subject: str) -> str:
        """A token signed with an unpublished key, an hour ago: every key set fetched now is newer."""
        return self._sign(self._unpublished, subject, {"iat": int(time.time()) - 3600})

    def _sign(self, key: Key, subject: str, claims: Mapping[str, object]) -> str:
        now = int(time.time())
        payload = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": subject,
            "client_id": f"client-of-{subject}",
            "scope": "orders:read",
            "jti": f"{subject}-{key.kid}",
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            **claims,
        }
        return jwt.encode(payload, key.private, key.algorithm, {"kid": key.kid, "typ": "at+jwt"})
