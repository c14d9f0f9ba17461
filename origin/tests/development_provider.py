"""A development provider on a real socket, and a client library that verifies its tokens."""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import jwt

from fastgate import Confirmation, LocalCaller
from fastgate.dev.provider.app import DevelopmentProvider
from fastgate.dev.provider.issuer_settings import Client, IssuerSettings
from tests.serving import uvicorn_serving

API = "https://api.example.com"
PAGE = "http://127.0.0.1:7676"
ADA = LocalCaller(
    "u-17",
    scopes=("orders:read", "orders:write"),
    client_id="shop",
    roles=("admin",),
    groups=("staff",),
    tenant="acme",
    claims={"plan": "team"},
    acr="urn:mfa",
    authenticated_at=1_800_000_000,
    session_id="s-1",
    confirmation=Confirmation(jkt="A" * 43),
)
SETTINGS = {
    "dev": IssuerSettings(
        audience=API,
        resources=("http://127.0.0.1:7676/mcp", "http://127.0.0.1:7676"),
        clients={
            "reader": Client(("orders:read",)),
            "writer": Client(("orders:read", "orders:write"), {"shop": "lumen"}, roles=("keeper",)),
            "guest": Client(),
            "any": Client(any_scope=True),
        },
        callers={"ada": ADA},
    ),
    "partners": IssuerSettings(audience="partners-api", tenant_claim="org_id", lifetime=60),
}


@contextlib.contextmanager
def serving() -> Iterator[DevelopmentProvider]:
    """Run a provider with `SETTINGS` on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    provider = DevelopmentProvider(f"http://127.0.0.1:{port}", SETTINGS, origins=[PAGE])
    with uvicorn_serving(provider, listener=listener, proxy_headers=False):
        yield provider


def post(url: str, **arguments: Any) -> httpx.Response:  # noqa: ANN401
    return httpx.post(url, trust_env=False, **arguments)


def get(url: str, **arguments: Any) -> httpx.Response:  # noqa: ANN401
    return httpx.get(url, trust_env=False, **arguments)


def verified(issuer: str, token: str, audience: str = API) -> dict[str, Any]:
    """Return the claims of a token, as a client library that only knows the issuer verifies it."""
    document = get(f"{issuer}/.well-known/openid-configuration").json()
    assert document["issuer"] == issuer
    published = jwt.PyJWKSet.from_dict(get(document["jwks_uri"]).json())
    header = jwt.get_unverified_header(token)
    claims: dict[str, Any] = jwt.decode(
        token,
        published[header["kid"]],
        algorithms=["ES256"],
        audience=audience,
        issuer=issuer,
        options={"require": ["exp", "iat", "sub", "jti", "client_id", "aud", "iss"]},
    )
    return claims


def claims_in(answer: Mapping[str, object]) -> dict[str, Any]:
    token = str(answer["access_token"])
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
