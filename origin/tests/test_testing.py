"""The pytest plugin signs as the edge would, and the real guard verifies it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi import FastAPI, Request, Security, WebSocket
from starlette.middleware.gzip import GZipMiddleware
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from fastgate import AnyCaller, Caller, FastgateMiddleware, Settings, at_edge, fastgate, guard
from fastgate.keys.origin import PrivateKey
from fastgate.local_rules import LocalCaller
from fastgate.testing import AsCaller, CalledBy, fake_edge, restore_keys
from tests.edge import HEADER, ISSUER, Edge

SETTINGS = Settings(edge="https://api.example.com", audience="orders")


def unguarded() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def welcome(caller: AnyCaller) -> str:
        return caller.subject if caller else "stranger"

    @app.get("/public")
    @at_edge(access="public")
    async def greet(caller: AnyCaller) -> str:
        return await welcome(caller)

    @app.get("/me")
    async def read_me(caller: Caller) -> list[str | None]:
        return [caller.subject, caller.issuer, caller.client_id, caller.client.country]

    @app.get("/orders/{order_id}")
    async def read_order(
        order_id: str, q: str, caller: Annotated[Caller, Security(fastgate, scopes=["orders:read"])]
    ) -> str:
        return f"{order_id} {q} {caller.subject}"

    @app.get("/{page:path}")
    async def read_page(page: str, caller: Caller) -> str:
        return page

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, caller: Caller) -> None:
        await websocket.accept()
        await websocket.send_text(caller.subject)
        await websocket.close()

    return app


@pytest.fixture
def app() -> FastAPI:
    app = unguarded()
    guard(app, SETTINGS)
    return app


def test_the_caller_is_the_one_that_the_test_names(app: FastAPI, as_caller: AsCaller) -> None:
    ada = as_caller(app, "ada", issuer="https://idp.example", client_id="shop", country="DE")
    assert ada.get("/me").json() == ["ada", "https://idp.example", "shop", "DE"]
    assert as_caller(app, sub="bob").get("/me").json()[0] == "bob"


def test_path_query_and_route_are_signed_as_they_are_sent(
    app: FastAPI, as_caller: AsCaller
) -> None:
    ada = as_caller(app, sub="ada", scopes=["a", "orders:read"])
    assert ada.get("/orders/caf%C3%A9 x", params={"q": "1 &2"}).json() == "café x 1 &2 ada"
    assert ada.get("/pages/of/any/depth").json() == "pages/of/any/depth"


def test_the_app_refuses_what_it_would_refuse_in_production(
    app: FastAPI, as_caller: AsCaller
) -> None:
    assert as_caller(app, sub="ada", scopes=["other"]).get("/orders/7?q=1").status_code == 403
    anonymous = as_caller(app)
    assert anonymous.get("/me").status_code == 401
    assert anonymous.get("/me").json()["type"] == "urn:fastgate:problem:authentication-required"
    assert anonymous.get("/").json() == "stranger"


def test_a_header_set_by_the_test_is_not_changed(
    app: FastAPI, as_caller: AsCaller, edge: Edge
) -> None:
    ada = as_caller(app, sub="ada")
    assert ada.get("/me", headers={HEADER: "forged"}).status_code == 401
    assert ada.get("/me", headers={HEADER: edge.mint("/me", "/me").decode()}).status_code == 401


def test_a_public_route_has_no_known_caller_as_at_the_edge(
    app: FastAPI, as_caller: AsCaller
) -> None:
    assert as_caller(app, sub="ada").get("/").json() == "ada"
    assert as_caller(app, sub="ada").get("/public").json() == "stranger"


def test_websockets_have_callers_too(app: FastAPI, as_caller: AsCaller) -> None:
    with as_caller(app, sub="ada").websocket_connect("/socket") as websocket:
        assert websocket.receive_text() == "ada"


def test_the_guards_own_keys_are_restored_after_the_test(edge: Edge) -> None:
    app = unguarded()
    app.add_middleware(FastgateMiddleware, settings=edge.settings(), now=time.time)
    headers = edge.headers("/me", "/me")
    with fake_edge(app) as stand_in:
        called = CalledBy(app, stand_in, LocalCaller("ada"))
        assert _get(called, "/me").status_code == 200
        assert _get(app, "/me", headers=headers).status_code == 401
    assert _get(app, "/me", headers=headers).status_code == 200
    assert _get(called, "/me").status_code == 401


def _get(app: ASGIApp, path: str, **request: object) -> httpx.Response:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
            return await http.get(path, **request)  # type: ignore[arg-type]

    return anyio.run(get)


def test_the_guard_is_found_around_the_app_too(as_caller: AsCaller) -> None:
    app = GZipMiddleware(FastgateMiddleware(unguarded(), SETTINGS))
    assert as_caller(app, sub="ada").get("/me").json()[0] == "ada"


@pytest.mark.parametrize("app", [FastAPI(), GZipMiddleware(FastAPI())])
def test_an_app_without_a_guard_is_not_mistaken_for_a_guarded_one(
    app: FastAPI, as_caller: AsCaller
) -> None:
    with pytest.raises(LookupError, match="not guarded"):
        as_caller(app, sub="ada")


def test_the_plugin_needs_no_import(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(as_caller): pass")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


# In existing test suites.


SHOP = """
from fastapi import FastAPI
from fastgate import Caller, Settings, guard

app = FastAPI()

@app.get("/me")
async def read_me(caller: Caller) -> str:
    return caller.subject

guard(app, Settings(edge="https://api.example.com", audience="orders"))
"""


def test_fixtures_of_every_scope_may_use_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        guarded_shop=SHOP,
        test_shop="""
        import pytest
        from guarded_shop import app

        @pytest.fixture(scope="module")
        def ada(as_caller):
            return as_caller(app, sub="ada")

        @pytest.fixture(scope="session")
        def bob(as_caller):
            return as_caller(app, sub="bob")

        @pytest.mark.parametrize("time", [1, 2])
        def test_it(ada, bob, as_caller, time):
            subjects = [client.get("/me").json() for client in (ada, bob, as_caller(app, "eve"))]
            assert subjects == ["ada", "bob", "eve"]
        """,
    )
    pytester.syspathinsert()
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_the_app_is_named_once_in_the_configuration(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfastgate_app = guarded_shop:app\n")
    pytester.makepyfile(
        guarded_shop=SHOP,
        test_shop="""
        from guarded_shop import app
        from starlette.testclient import TestClient

        client = TestClient(app)

        def test_it(as_caller):
            assert client.get("/me", auth=as_caller("ada")).json() == "ada"
        """,
    )
    pytester.syspathinsert()
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_single_requests_have_callers(app: FastAPI, as_caller: AsCaller) -> None:
    client = TestClient(app)
    ada = as_caller("ada", ["orders:read"], of=app, client_id="shop")
    assert client.get("/me", auth=ada).json()[::2] == ["ada", "shop"]
    assert (
        client.get("/orders/caf%C3%A9 x", params={"q": "1 &2"}, auth=ada).json()
        == "café x 1 &2 ada"
    )
    assert client.get("/", auth=as_caller(of=app)).json() == "stranger"
    assert client.get("/orders/7?q=1", auth=as_caller("bob", of=app)).status_code == 403
    assert client.get("/me").status_code == 401
    assert client.get("/me", headers={HEADER: "forged"}, auth=ada).status_code == 401
    with client.websocket_connect("/socket", auth=ada) as websocket:
        assert websocket.receive_text() == "ada"


def test_a_body_that_the_edge_signs_is_signed(as_caller: AsCaller) -> None:
    app = FastAPI()

    @app.post("/orders")
    @at_edge(sign_body=True)
    async def make(order: dict[str, int], caller: Caller) -> int:
        return order["quantity"]

    guard(app, SETTINGS)
    auth = as_caller("ada", of=app)
    response = TestClient(app).post("/orders", json={"quantity": 3}, auth=auth)
    assert response.json() == 3


def test_without_an_app_the_message_says_what_to_write(as_caller: AsCaller) -> None:
    with pytest.raises(LookupError, match="fastgate_app"):
        as_caller("ada")


def test_options_of_the_client_are_passed_on(as_caller: AsCaller) -> None:
    app = FastAPI()

    @app.get("/")
    async def fail(request: Request) -> str:
        raise ZeroDivisionError(str(request.url))

    guard(app, SETTINGS)
    ada = as_caller(
        app, "ada", country="DE", raise_server_exceptions=False, base_url="https://shop.example"
    )
    assert ada.get("/").status_code == 500
    assert str(ada.base_url) == "https://shop.example"
    with pytest.raises(ZeroDivisionError, match="http://testserver/"):
        as_caller(app, "ada").get("/")


def test_requests_that_the_edge_does_not_forward_get_its_response(as_caller: AsCaller) -> None:
    app = FastAPI()

    @app.get("/orders")
    async def list_orders(caller: Caller) -> str:
        return caller.subject

    @app.get("/internal")
    @at_edge(access="none")
    async def internal() -> str:
        return "for no caller"

    guard(app, SETTINGS)
    ada = as_caller(app, "ada")
    assert ada.get("/orders").status_code == 200
    for path in ("/orders/", "/nowhere", "/internal"):
        response = ada.get(path)
        assert (response.status_code, response.history) == (404, [])
        assert response.json()["type"] == "urn:fastgate:problem:not-found"
    response = ada.post("/orders")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET")
    assert response.json()["type"] == "urn:fastgate:problem:method-not-allowed"
    auth = as_caller("ada", of=app)
    assert TestClient(app).get("/orders/", auth=auth).status_code == 401


def test_the_guards_own_keys_are_restored_after_the_session(edge: Edge) -> None:
    app = unguarded()
    app.add_middleware(FastgateMiddleware, settings=edge.settings(), now=time.time)
    headers = edge.headers("/me", "/me")
    callers = AsCaller()
    try:
        assert callers(app, "bob").get("/me").json()[0] == "bob"
        assert _get(app, "/me", headers=headers).status_code == 401
    finally:
        restore_keys()
    assert _get(app, "/me", headers=headers).status_code == 200


def test_routes_that_an_app_adds_when_it_starts_or_later_count(as_caller: AsCaller) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.get("/late")(late)
        below = FastAPI(openapi_url=None)
        below.get("/z")(late)
        app.mount("/below", below)
        yield

    async def late(caller: Caller) -> str:
        return caller.subject

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    guard(app, SETTINGS)
    with as_caller(app, "ada") as client:
        assert [client.get(path).text for path in ("/late", "/below/z")] == ['"ada"', '"ada"']
        assert client.get("/later").status_code == 404
        app.get("/later")(late)
        assert client.get("/later").text == '"ada"'
    with TestClient(app) as plain:
        assert plain.get("/late", auth=as_caller("bob", of=app)).text == '"bob"'


def test_the_host_of_the_client_is_signed(app: FastAPI, as_caller: AsCaller) -> None:
    for base_url in ("http://api.example.com", "http://other.example:8443"):
        assert as_caller(app, sub="ada", base_url=base_url).get("/me").status_code == 200
    with TestClient(app, base_url="http://third.example") as http:
        response = http.get("/me", auth=as_caller("ada", of=app))
    assert response.status_code == 200


def test_an_app_behind_a_backend_host_gets_that_host(as_caller: AsCaller) -> None:
    app = FastAPI()

    @app.get("/host")
    async def host(request: Request, caller: Caller) -> list[str]:
        signed = request.scope["fastgate"].transaction.host
        return [*request.headers.getlist("host"), signed]

    settings = Settings(edge=ISSUER, audience="orders", backend_host="orders.internal")
    guard(app, settings)
    expected = ["orders.internal", "api.example.com"]
    client = as_caller(app, sub="ada", base_url="http://api.example.com")
    assert client.get("/host").json() == expected
    with TestClient(app, base_url="http://api.example.com") as http:
        assert http.get("/host", auth=as_caller("ada", of=app)).json() == expected


def test_an_app_with_a_key_of_its_own_is_called_without_it(edge: Edge, as_caller: AsCaller) -> None:
    app = unguarded()
    key = PrivateKey(X25519PrivateKey.generate()).private_jwk
    guard(app, edge.settings(keys=None, origin_key=key))
    assert as_caller(app, sub="ada").get("/me").status_code == 200
