"""The provider of a company, on loopback: a discovery document, a key set, and tokens."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

AUDIENCE = "https://api.example.com"


class Company:
    """The provider. Its key is new each time."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._key = generate_private_key(SECP256R1())
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self.documents: dict[str, object] = {
            "/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": f"{issuer}/jwks"},
            "/jwks": {"keys": [{**jwk, "kid": "1", "alg": "ES256", "use": "sig"}]},
        }

    def token(self, **claims: object) -> str:
        """Return a token with these claims, for one minute."""
        payload = {"iss": self.issuer, "aud": AUDIENCE, "exp": int(time.time()) + 60, **claims}
        return jwt.encode(payload, self._key, algorithm="ES256", headers={"kid": "1"})


@contextmanager
def running_company() -> Iterator[Company]:
    """Serve the documents of a provider."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = company.documents.get(self.path)
            body = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    company = Company(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield company
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
