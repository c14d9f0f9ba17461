"""The demonstration app agrees with the example policy."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastgate.content import content_digest
from tests.edge import HEADER, Edge, payload
from tests.serving import JwksServer

pytestmark = pytest.mark.anyio

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, jwks_server: JwksServer) -> FastAPI:
    monkeypatch.setenv("FASTGATE_EDGE", jwks_server.origin)
    module = importlib.import_module("demo.app")
    app = importlib.reload(module).app
    assert isinstance(app, FastAPI)
    return app


ITEM = "/items/7f0c2b1e-5a64-4f0e-9d3b-2c8a51e6d904"
ITEM_TEMPLATE = "/items/{item_id:uuid}"
REFUND_TEMPLATE = "/orders/{order_id:int}/refund"

# Method, path and template as the edge forwards them; a part of the response.
SERVED: list[tuple[str, str, str, str, int, str]] = [
    ("GET", "/", "/", "", 200, "Welcome, ada."),
    ("GET", "/me", "/me", "a b", 200, '"scopes":["a","b"],"roles":["buyer"],"country":"DE"'),
    ("GET", "/items", "/items", "", 200, "a lantern"),
    ("GET", ITEM, ITEM_TEMPLATE, "", 200, '"price":40'),
    ("GET", "/offers", "/offers", "", 200, '"price":30'),
    ("POST", "/gift-cards", "/gift-cards", "", 201, '"bought_by":"ada"'),
    ("GET", "/orders/7", "/orders/{order_id:int}", "orders:read", 200, '"order_id":7'),
    ("GET", "/orders/7", "/orders/{order_id:int}", "orders:write", 403, "insufficient_scope"),
    ("POST", "/orders", "/orders", "orders:write", 201, '"ordered_by":"ada"'),
    ("POST", "/orders", "/orders", "orders:read", 403, "insufficient_scope"),
    ("POST", "/orders/7/refund", REFUND_TEMPLATE, "", 200, '"refunded_by":"ada"'),
    ("GET", "/exports/orders.csv", "/exports/orders.csv", "orders:read", 200, "a lantern,ada"),
    ("GET", "/exports/vat", "/exports/vat", "", 200, '"region":"eu"'),
    ("GET", "/where", "/where", "", 200, '{"region":"eu"}'),
    ("GET", "/shops/lumen/stock", "/shops/{shop}/stock", "", 200, '"shop_of_caller":"lumen"'),
    ("GET", "/wholesale/prices", "/wholesale/prices", "", 200, '"told_to":"ada"'),
    ("GET", "/price-lists/retail", "/price-lists/retail", "", 200, '"language":"en"'),
    ("GET", "/price-lists/members", "/price-lists/members", "", 200, '"lantern":40'),
    ("GET", "/price-lists/negotiated", "/price-lists/negotiated", "", 200, '"lantern":38'),
    ("POST", "/price-lists", "/price-lists", "", 204, ""),
    ("GET", "/diagnostics", "/diagnostics", "", 200, '"token_came_along":false'),
    ("GET", "/files/a/b.txt", "/files/{path:path}", "", 200, '"path":"a/b.txt"'),
    ("GET", "/stream", "/stream", "", 200, "line 5 for ada"),
    ("GET", "/docs", "/docs", "", 404, "Not Found"),
    ("GET", "/openapi.json", "/openapi.json", "", 404, "Not Found"),
]


def test_every_route_of_the_policy_is_among_the_cases() -> None:
    routes = json.loads((REPOSITORY / "policy.json").read_text())["routes"]
    # The WebSocket is tested through a real edge, in tests/edge/websockets.rs.
    assert [route["path"] for route in routes if route.get("websocket")] == ["/updates"]
    plain = [route for route in routes if not {"websocket", "respond"} & route.keys()]
    policy = {(method, origin_template(route)) for route in plain for method in route["methods"]}
    assert policy <= {(method, template) for method, _, template, *_ in SERVED}


def of(edge: JwksServer) -> dict[str, object]:
    return {"iss": edge.origin, "req_wl": edge.origin}


def origin_template(route: Mapping[str, Any]) -> str:
    """Return the template of the route at the origin: the policy may rewrite it."""
    rewrite = route.get("rewrite", {})
    path = str(route["path"]).removeprefix(rewrite.get("strip_prefix", ""))
    return str(rewrite.get("template", rewrite.get("add_prefix", "") + path))


@pytest.mark.parametrize(("method", "path", "template", "scope", "status", "text"), SERVED)
async def test_the_demo_serves_its_routes(
    demo: FastAPI,
    edge: Edge,
    jwks_server: JwksServer,
    method: str,
    path: str,
    template: str,
    scope: str,
    status: int,
    text: str,
) -> None:
    claims = payload(path, template, method=method, scope=scope)
    body = b'{"item": "a lantern", "quantity": 2}' if method == "POST" else b""
    if template == REFUND_TEMPLATE:
        tctx = claims["tctx"]
        assert isinstance(tctx, dict)
        tctx["content_digest"] = content_digest(body)
    assert isinstance(claims["rctx"], dict)
    claims["rctx"] |= {"roles": ["buyer"], "groups": [], "claims": {"shop": "lumen"}}
    claims["rctx"]["region"] = "eu"
    token = edge.sign({**claims, **of(jwks_server), "aud": "demo-api"})
    headers = {HEADER: token.decode(), "content-type": "application/json"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(demo), base_url="https://testserver"
    ) as http:
        response = await http.request(method, path, content=body, headers=headers)
    assert response.status_code == status
    assert text in response.text + response.headers.get("www-authenticate", "")


@pytest.mark.parametrize(("own", "status"), [(None, 403), ("eu", 401), ("us", 403)])
async def test_the_demo_exports_the_tax_in_europe_only(
    monkeypatch: pytest.MonkeyPatch,
    edge: Edge,
    jwks_server: JwksServer,
    request: pytest.FixtureRequest,
    own: str | None,
    status: int,
) -> None:
    if own is not None:
        monkeypatch.setenv("FASTGATE_REGION", own)
    demo = request.getfixturevalue("demo")
    claims = payload("/exports/vat", "/exports/vat", scope="")
    assert isinstance(claims["rctx"], dict)
    claims["rctx"]["region"] = "us"
    token = edge.sign({**claims, **of(jwks_server), "aud": "demo-api"})
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(demo), base_url="https://testserver"
    ) as http:
        response = await http.get("/exports/vat", headers={HEADER: token.decode()})
    assert response.status_code == status


async def test_content_location_is_the_path_at_the_origin(
    demo: FastAPI, edge: Edge, jwks_server: JwksServer
) -> None:
    claims = payload("/orders/7", "/orders/{order_id:int}", scope="orders:read")
    token = edge.sign({**claims, **of(jwks_server), "aud": "demo-api"})
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(demo), base_url="https://testserver"
    ) as http:
        response = await http.get("/orders/7", headers={HEADER: token.decode()})
    assert response.headers["content-location"] == "/orders/7"
