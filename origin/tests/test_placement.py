"""Where a guard may stand: in front of everything, once, and inside of other apps."""

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from fastgate import Caller, FastgateMiddleware, guard
from fastgate.placement import Misplaced
from tests.edge import HEADER, Edge, payload

pytestmark = pytest.mark.anyio


async def read_me(caller: Caller) -> str:
    return caller.subject


def app_with_me(**options: object) -> FastAPI:
    app = FastAPI(openapi_url=None, **options)  # type: ignore[arg-type]
    app.get("/me")(read_me)
    app.get("/items/{item}")(read_me)
    return app


async def serve_metrics(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return Response("metrics") if request.url.path == "/metrics" else await call_next(request)


async def status(app: ASGIApp, edge: Edge, path: str, template: str, **changes: str) -> int:
    claims = payload(path, template)
    assert isinstance(claims["tctx"], dict)
    claims["tctx"] |= changes
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://origin.example"
    ) as http:
        answer = await http.get(path, headers={HEADER: edge.sign(claims).decode()})
    return answer.status_code


def test_a_strict_app_does_not_start_with_middleware_outside_of_its_guard(edge: Edge) -> None:
    app = app_with_me()
    guard(app, edge.settings(strict=True))
    app.middleware("http")(serve_metrics)
    app.add_middleware(GZipMiddleware)
    with (
        pytest.raises(Misplaced, match=r"GZipMiddleware, BaseHTTPMiddleware.*Call guard after"),
        TestClient(app),
    ):
        raise AssertionError("it has started")


def test_any_other_app_says_so_in_its_log(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    for add_first in (True, False):
        caplog.clear()
        app = app_with_me()
        if add_first:
            app.middleware("http")(serve_metrics)
        guard(app, edge.settings())
        if not add_first:
            app.middleware("http")(serve_metrics)
        with TestClient(app) as client:
            assert client.get("/metrics").status_code == (401 if add_first else 200)
        said = [text for text in caplog.messages if text.startswith("outside of the guard")]
        assert said == ([] if add_first else [said[0]])


def test_middleware_in_front_of_a_guard_in_a_list_is_found_too(edge: Edge) -> None:
    guarding = Middleware(FastgateMiddleware, settings=edge.settings(strict=True))
    app = Starlette(middleware=[Middleware(GZipMiddleware), guarding])
    with pytest.raises(Misplaced, match="GZipMiddleware"), TestClient(app):
        raise AssertionError("it has started")
    with TestClient(Starlette(middleware=[guarding, Middleware(GZipMiddleware)])):
        pass


def test_an_app_is_guarded_once(edge: Edge) -> None:
    app = app_with_me()
    guard(app, edge.settings())
    with pytest.raises(RuntimeError, match="guarded already"):
        guard(app, edge.settings())


async def test_a_second_guard_of_the_same_edge_lets_through_what_the_first_has_verified(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    for audience, expected in (("orders", 200), ("billing", 401)):
        app, below = app_with_me(), app_with_me()
        guard(below, edge.settings(audience=audience))
        app.mount("/below", below)
        guard(app, edge.settings())
        caplog.clear()
        assert await status(app, edge, "/below/me", "/below/me") == expected
        assert await status(app, edge, "/below/me", "/below/items/{item}") == 401
        assert await status(app, edge, "/me", "/me") == 200
        if expected == 401:
            assert "another edge or audience" in caplog.text
    twice = FastgateMiddleware(below := app_with_me(), edge.settings())
    below.add_middleware(FastgateMiddleware, settings=edge.settings())
    assert await status(twice, edge, "/me", "/me") == 200
    assert await status(twice, edge, "/me", "/items/{item}") == 401
