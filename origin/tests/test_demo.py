"""The demonstration app does what the example policy says about it."""

import importlib

import httpx
import pytest
from fastapi import FastAPI

from tests.edge import HEADER, Edge, payload
from tests.serving import JwksServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, jwks_server: JwksServer) -> FastAPI:
    monkeypatch.setenv("FASTGATE_EDGE", jwks_server.origin)
    module = importlib.import_module("demo.app")
    app = importlib.reload(module).app
    assert isinstance(app, FastAPI)
    return app


@pytest.mark.parametrize(
    ("method", "path", "template", "scope", "status", "text"),
    [
        ("GET", "/", "/", None, 200, "Welcome, ada."),
        ("GET", "/me", "/me", "a b", 200, '"scopes":["a","b"],"country":"DE"'),
        ("GET", "/orders/7", "/orders/{order_id:int}", "orders:read", 200, '"order_id":7'),
        ("GET", "/orders/7", "/orders/{order_id:int}", "orders:write", 403, "insufficient_scope"),
        ("POST", "/orders", "/orders", "orders:write", 201, '"ordered_by":"ada"'),
        ("POST", "/orders", "/orders", "orders:read", 403, "insufficient_scope"),
        ("GET", "/files/a/b.txt", "/files/{path:path}", None, 200, '"path":"a/b.txt"'),
        ("GET", "/stream", "/stream", None, 200, "line 5 for ada"),
        ("GET", "/docs", "/docs", None, 404, "Not Found"),
        ("GET", "/openapi.json", "/openapi.json", None, 404, "Not Found"),
    ],
)
async def test_the_demo_serves_its_routes(
    demo: FastAPI,
    edge: Edge,
    jwks_server: JwksServer,
    method: str,
    path: str,
    template: str,
    scope: str | None,
    status: int,
    text: str,
) -> None:
    claims = payload(path, template, method=method, scope=scope)
    token = edge.sign({**claims, "iss": jwks_server.origin, "aud": "demo-api"})
    body = {"item": "a lantern", "quantity": 2} if method == "POST" else None
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(demo), base_url="https://origin.example"
    ) as http:
        answer = await http.request(method, path, json=body, headers={HEADER: token.decode()})
    assert answer.status_code == status
    assert text in answer.text + answer.headers.get("www-authenticate", "")
