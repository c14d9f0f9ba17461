"""The position of a guard: outside of all middleware, once, and also inside of other apps."""

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import Caller, FastgateMiddleware, guard
from fastgate.routes.placement import Misplaced
from fastgate.testing import AsCaller
from tests.edge import HEADER, Edge, payload

pytestmark = pytest.mark.anyio


async def read_me(caller: Caller) -> str:
    return caller.subject


def app_with_me(root_path: str = "") -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.root_path = root_path  # only the argument of this name is deprecated
    app.get("/me")(read_me)
    app.get("/items/{item}")(read_me)
    return app


async def serve_metrics(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return Response("metrics") if request.url.path == "/metrics" else await call_next(request)


async def status(app: ASGIApp, edge: Edge, wire: str, template: str, **changes: str) -> int:
    claims = payload(wire, template)
    assert isinstance(claims["tctx"], dict)
    claims["tctx"] |= changes
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://testserver"
    ) as http:
        response = await http.get(wire, headers={HEADER: edge.sign(claims).decode()})
    return response.status_code


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


def test_an_app_that_is_not_strict_logs_middleware_outside_of_its_guard(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
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


def test_middleware_before_a_guard_in_a_list_is_found_too(edge: Edge) -> None:
    guarding = Middleware(FastgateMiddleware, settings=edge.settings(strict=True))
    app = Starlette(middleware=[Middleware(GZipMiddleware), guarding])
    with pytest.raises(Misplaced, match="GZipMiddleware"), TestClient(app):
        raise AssertionError("it has started")
    with TestClient(Starlette(middleware=[guarding, Middleware(GZipMiddleware)])):
        pass


class AnswersItself(FastAPI):
    """An app that responds to one path without its middleware."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/internal":
            await Response("internal")(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


@pytest.mark.parametrize("strict", [True, False])
def test_an_app_that_responds_before_its_guard_is_found(
    edge: Edge, caplog: pytest.LogCaptureFixture, *, strict: bool
) -> None:
    app = AnswersItself(openapi_url=None)
    guard(app, edge.settings(strict=strict))
    if strict:
        with pytest.raises(Misplaced, match=r"AnswersItself\.__call__ .* FastgateMiddleware\(app"):
            TestClient(app).__enter__()
    else:
        with TestClient(app):
            assert "AnswersItself.__call__ sees requests before the guard" in caplog.text
    with TestClient(FastgateMiddleware(AnswersItself(), edge.settings())) as client:
        assert client.get("/internal").status_code == 401

    class OnlyNamed(FastAPI):
        """A class that adds nothing."""

    named = OnlyNamed(openapi_url=None)
    guard(named, edge.settings(strict=True))
    with TestClient(named):
        pass


def test_an_app_is_guarded_once(edge: Edge) -> None:
    app = app_with_me()
    guard(app, edge.settings())
    with pytest.raises(RuntimeError, match="guarded already"):
        guard(app, edge.settings())


async def test_a_second_guard_of_the_same_edge_accepts_requests_that_the_first_has_verified(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    others = [{"audience": "billing"}, {"audience": "payments"}]
    others += [{"edge": "https://a.example"}, {"edge": "https://z.example"}]
    for settings, expected in (({}, 200), *((other, 401) for other in others)):
        app, below = app_with_me(), app_with_me()
        guard(below, edge.settings(**settings))
        app.mount("/below", below)
        guard(app, edge.settings())
        caplog.clear()
        assert await status(app, edge, "/below/me", "/below/me") == expected
        assert await status(app, edge, "/below/me", "/below/items/{item}") == 401
        assert await status(app, edge, "/me", "/me") == 200
        if expected == 401:
            assert "another edge, audience or region" in caplog.text
    twice = FastgateMiddleware(below := app_with_me(), edge.settings())
    below.add_middleware(FastgateMiddleware, settings=edge.settings())
    assert await status(twice, edge, "/me", "/me") == 200
    assert await status(twice, edge, "/me", "/items/{item}") == 401


# An app that is not at the root of its server.


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("around", [True, False])
async def test_a_root_path_is_part_of_the_template_even_if_a_proxy_removes_it(
    edge: Edge, *, strict: bool, around: bool
) -> None:
    app = app_with_me(root_path="/api")
    guarded: ASGIApp = app
    if around:
        guarded = FastgateMiddleware(app, edge.settings(strict=strict))
    else:
        guard(app, edge.settings(strict=strict))
    for signed, wire in (("/api/me", "/api/me"), ("/api/me", "/me")):
        for route, template in (("get-api-me", "/api/me"), ("get-me", "/me")):
            expected = 200 if template == "/api/me" else 401
            changes = {"path": signed, "route": route}
            assert await status(guarded, edge, wire, template, **changes) == expected, wire
    # If the edge rewrites the path, it signs the path that arrives here.
    assert await status(guarded, edge, "/me", "/me", route="get-api-me") == 200
    assert await status(guarded, edge, "/me", "/api/me", path="/other/me") == 401
    assert await status(guarded, edge, "/me", "/api/me", path="/apis/me") == 401
    assert await status(guarded, edge, "/api/me", "/api/me", path="/api/api/me") == 401


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("mount", ["", "/v1", "/{tenant}"])
@pytest.mark.parametrize("how", ["guard", "middleware"])
async def test_a_guarded_app_may_be_mounted_in_another_app(
    edge: Edge, mount: str, how: str, *, strict: bool
) -> None:
    below: ASGIApp = app_with_me()
    if how == "guard":
        guard(below, edge.settings(strict=strict))  # type: ignore[arg-type]
    else:
        below = FastgateMiddleware(below, edge.settings(strict=strict))
    base = mount.replace("{tenant}", "acme")
    for app in (
        Starlette(routes=[Mount(mount, below)]),
        Starlette(routes=[Mount("", Starlette(routes=[Mount(mount, GZipMiddleware(below))]))]),
    ):
        for name, expected in (("get-me", 200), ("other", 401 if strict else 200)):
            got = await status(app, edge, f"{base}/me", f"{mount}/me", route=name)
            assert got == expected, name
        assert await status(app, edge, f"{base}/me", f"{mount}/items/{{item}}") == 401
        if mount:
            assert await status(app, edge, f"{base}/me", "/me", route="get-me") == 401


async def test_an_app_that_is_mounted_by_hand_is_refused(edge: Edge) -> None:
    """The guard cannot distinguish it from middleware that trusts a field of the client."""
    inner = app_with_me()

    async def by_hand(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, "root_path": "/hand"}, receive, send)

    app = FastgateMiddleware(by_hand, edge.settings())
    assert await status(app, edge, "/hand/me", "/hand/me") == 401
    assert await status(app, edge, "/hand/me", "/me") == 401
    assert await status(app, edge, "/me", "/me") == 200, "nothing is moved"


def test_the_fake_edge_uses_the_root_path(edge: Edge, as_caller: AsCaller) -> None:
    for strict in (True, False):
        app = app_with_me(root_path="/api")
        guard(app, edge.settings(strict=strict))
        ada = as_caller(app, sub="ada")
        assert ada.get("/me").json() == ada.get("/api/me").json() == "ada"
