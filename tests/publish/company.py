"""A provider at https://idp.example.com, which programs reach through a proxy on this machine."""

import contextlib
import json
import select
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import trustme
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from fastly_api.running import listener, serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HOST = "idp.example.com"
ISSUER = f"https://{HOST}"
KEY_ID = "2026-11"


class Company:
    """The provider's keys, its address for the edge, and variables for programs that look for it."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.address = ""
        """Where it listens without TLS."""
        self.environment: dict[str, str] = {}
        """Leads requests for the host to this provider, and every other one to a refusal."""

    def token(self, audience: str, *scopes: str) -> str:
        """Return an access token for ada."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": audience, "sub": "ada", "iat": now, "exp": now + 300}
        claims["scope"] = " ".join(scopes)
        return jwt.encode(claims, self._key, "RS256", {"kid": KEY_ID, "typ": "at+jwt"})

    async def _discovery(self, _request: Request) -> Response:
        return JSONResponse({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"})

    async def _keys(self, _request: Request) -> Response:
        shown = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key())
        return JSONResponse({"keys": [{**json.loads(shown), "kid": KEY_ID, "use": "sig"}]})

    def _app(self) -> Starlette:
        discovery = Route("/.well-known/openid-configuration", self._discovery)
        return Starlette(routes=[discovery, Route("/jwks", self._keys)])

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator[None]:
        """Listen, with and without TLS. The certificates are written into the folder."""
        authority, certificate = trustme.CA(), folder / "idp.pem"
        issued = authority.issue_cert(HOST)
        issued.private_key_and_cert_chain_pem.write_to_path(certificate)
        authority.cert_pem.write_to_path(folder / "authority.pem")
        plain = uvicorn.Config(self._app(), log_level="warning")
        secure = uvicorn.Config(self._app(), log_level="warning", ssl_certfile=certificate)
        at = listener()
        with (
            serving(uvicorn.Server(plain), listener()) as self.address,
            serving(uvicorn.Server(secure), at),
            _proxy(f"{HOST}:443", at.getsockname()) as proxy,
        ):
            self.environment = {
                "HTTPS_PROXY": proxy,
                "SSL_CERT_FILE": str(folder / "authority.pem"),
            }
            yield


@contextlib.contextmanager
def _proxy(allowed: str, behind: tuple[str, int]) -> Iterator[str]:
    """Run a proxy for HTTPS that connects to one host only (RFC 9110, section 9.3.6)."""

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, target, _ = self.rfile.readline().decode().split()
            while self.rfile.readline().strip():
                pass
            if (method, target) != ("CONNECT", allowed):
                self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            with socket.create_connection(behind) as server:
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                _exchange(self.connection, server)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}"
        finally:
            proxy.shutdown()
            thread.join()


def _exchange(client: socket.socket, server: socket.socket) -> None:
    other = {client: server, server: client}
    while True:
        readable, _, _ = select.select([client, server], [], [])
        for source in readable:
            content = source.recv(65_536)
            if not content:
                return
            other[source].sendall(content)
