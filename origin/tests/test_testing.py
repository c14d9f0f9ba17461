"""The pytest plugin signs what the edge would, and the real door judges it."""

import time
from typing import Annotated

import anyio
import httpx
import pytest
from fastapi import FastAPI, Security, WebSocket
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from fastgate import AnyCaller, Caller, FastgateMiddleware, Settings, at_edge, fastgate, guard
from fastgate.stand_in import StandInCaller
from fastgate.testing import AsCaller, CalledBy, stand_in_edge
from tests.edge import HEADER, Edge

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
        return [caller.subject, caller.issuer, caller.client_id, caller.country]

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


def test_a_caller_is_who_the_test_says(app: FastAPI, as_caller: AsCaller) -> None:
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
    nobody = as_caller(app)
    assert nobody.get("/me").status_code == 401
    assert nobody.get("/me").json()["type"] == "urn:fastgate:problem:authentication-required"
    assert nobody.get("/").json() == "stranger"


def test_a_header_of_the_tests_own_is_left_as_it_is(
    app: FastAPI, as_caller: AsCaller, edge: Edge
) -> None:
    ada = as_caller(app, sub="ada")
    assert ada.get("/me", headers={HEADER: "forged"}).status_code == 401
    assert ada.get("/me", headers={HEADER: edge.mint("/me", "/me").decode()}).status_code == 401


def test_on_a_public_route_nobody_is_known_as_at_the_edge(
    app: FastAPI, as_caller: AsCaller
) -> None:
    assert as_caller(app, sub="ada").get("/").json() == "ada"
    assert as_caller(app, sub="ada").get("/public").json() == "stranger"


def test_websockets_have_callers_too(app: FastAPI, as_caller: AsCaller) -> None:
    with as_caller(app, sub="ada").websocket_connect("/socket") as websocket:
        assert websocket.receive_text() == "ada"


def test_the_door_believes_its_own_keys_again_when_the_test_is_over(edge: Edge) -> None:
    app = unguarded()
    app.add_middleware(FastgateMiddleware, settings=edge.settings(), now=time.time)
    headers = edge.headers("/me", "/me")
    with stand_in_edge(app) as stand_in:
        called = CalledBy(app, stand_in, StandInCaller("ada"))
        assert _get(called, "/me").status_code == 200
        assert _get(app, "/me", headers=headers).status_code == 401
    assert _get(app, "/me", headers=headers).status_code == 200
    assert _get(called, "/me").status_code == 401


def _get(app: ASGIApp, path: str, **request: object) -> httpx.Response:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://o.example") as http:
            return await http.get(path, **request)  # type: ignore[arg-type]

    return anyio.run(get)


def test_the_door_is_found_around_the_app_too(as_caller: AsCaller) -> None:
    app = GZipMiddleware(FastgateMiddleware(unguarded(), SETTINGS))
    assert as_caller(app, sub="ada").get("/me").json()[0] == "ada"


@pytest.mark.parametrize("app", [FastAPI(), GZipMiddleware(FastAPI())])
def test_an_app_without_a_door_is_not_taken_for_a_guarded_one(
    app: FastAPI, as_caller: AsCaller
) -> None:
    with pytest.raises(LookupError, match="not guarded"):
        as_caller(app, sub="ada")


def test_the_plugin_is_there_without_being_imported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(as_caller): pass")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
