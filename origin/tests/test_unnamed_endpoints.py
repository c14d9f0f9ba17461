"""An endpoint with `access="none"` has no route at the edge and never runs under another one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket, routing
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from fastgate import AnyCaller, at_edge, guard
from fastgate.compile.endpoints.listing import endpoints
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.declare.lookup import declared_on_route
from fastgate.testing import AsCaller
from tests.edge import HEADER, Edge, payload

pytestmark = pytest.mark.anyio
FILES = Path(__file__).parent
THIS_FILE = Path(__file__).name
public: Any = at_edge(access="public")
unnamed: Any = at_edge(access="none")
needs_frontends = pytest.mark.skipif(
    not hasattr(FastAPI, "frontend"), reason="this FastAPI serves no frontends"
)
needs_inclusion = pytest.mark.skipif(
    not hasattr(routing, "_IncludedRouter"), reason="older FastAPI copies routes, and no mounts"
)


def empty() -> FastAPI:
    return FastAPI(openapi_url=None)


# A mark belongs to its function, so each app needs its own functions.


def internal() -> Callable[..., Any]:
    async def internal() -> str:
        return "INTERNAL"

    return internal


def shown() -> Callable[..., Any]:
    async def shown() -> str:
        return "shown"

    return shown


def plain() -> Callable[..., Any]:
    async def plain(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("INTERNAL")

    return plain


class Asgi:
    """An endpoint, or a mounted app, that responds to every method."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await PlainTextResponse("INTERNAL")(scope, receive, send)


# Each serves first an internal endpoint, then a public one at the same template.


def marked(app: FastAPI) -> None:
    app.get("/x")(unnamed(internal()))
    app.get("/x")(public(shown()))


def by_a_router(app: FastAPI) -> None:
    first, second = unnamed(APIRouter(prefix="/x")), public(APIRouter(prefix="/x"))
    first.get("")(internal())
    second.get("")(shown())
    app.include_router(first)
    app.include_router(second)


def by_a_router_of_starlette_routes(app: FastAPI) -> None:
    first = unnamed(APIRouter())
    first.add_route("/x", plain())
    app.include_router(first)
    app.get("/x")(public(shown()))


def by_a_path(app: FastAPI) -> None:
    at_edge(below="/x", access="none")(app)
    app.get("/x")(internal())
    app.get("/x")(public(shown()))


def of_more_methods(app: FastAPI) -> None:
    app.api_route("/x", methods=["GET", "POST"])(unnamed(internal()))
    app.get("/x")(public(shown()))


def of_every_method(app: FastAPI) -> None:
    app.router.routes.append(Route("/x", unnamed(Asgi())))
    app.get("/x")(public(shown()))


def before_anybody(app: FastAPI) -> None:
    async def greet(caller: AnyCaller) -> str:
        return "known" if caller else "shown"

    app.get("/x")(unnamed(internal()))
    app.get("/x")(greet)


def in_a_mounted_app(app: FastAPI) -> None:
    inner = empty()
    marked(inner)
    app.mount("/m", inner)


def in_a_mounted_unnamed_app(app: FastAPI) -> None:
    inner = unnamed(empty())
    inner.get("/x")(internal())
    app.mount("/m", inner)
    app.get("/m/x")(public(shown()))


def as_a_mount(app: FastAPI) -> None:
    app.mount("/x", unnamed(Asgi()))
    app.get("/x/{path:path}")(public(shown()))


def as_an_included_mount(app: FastAPI) -> None:
    first = unnamed(APIRouter())
    first.mount("/y", Asgi())
    app.include_router(first, prefix="/x")
    app.get("/x/y/{path:path}")(public(shown()))


def before_files(app: FastAPI) -> None:
    async def files(path: str) -> str:
        return "INTERNAL"

    app.get("/x/{path:path}")(unnamed(files))
    app.mount("/x", public(StaticFiles(directory=FILES)))


def as_frontends(app: FastAPI) -> None:
    first, second = unnamed(APIRouter()), public(APIRouter())
    for router in (first, second):
        router.frontend("/x", directory=FILES)
        app.include_router(router)


FIRST = [
    (marked, "/x", "/x"),
    (by_a_router, "/x", "/x"),
    pytest.param(by_a_router_of_starlette_routes, "/x", "/x", marks=needs_inclusion),
    (by_a_path, "/x", "/x"),
    (of_more_methods, "/x", "/x"),
    (of_every_method, "/x", "/x"),
    (before_anybody, "/x", "/x"),
    (in_a_mounted_app, "/m/x", "/m/x"),
    (in_a_mounted_unnamed_app, "/m/x", "/m/x"),
    (as_a_mount, "/x/y", "/x/{path:path}"),
    pytest.param(as_an_included_mount, "/x/y/z", "/x/y/{path:path}", marks=needs_inclusion),
    (before_files, f"/x/{THIS_FILE}", "/x/{path:path}"),
    pytest.param(as_frontends, f"/x/{THIS_FILE}", "/x/{path:path}", marks=needs_frontends),
]


@pytest.mark.parametrize(("serve", "path", "template"), FIRST)
def test_a_route_after_an_unnamed_endpoint_is_never_reached(
    serve: Callable[[FastAPI], None], path: str, template: str
) -> None:
    app = empty()
    serve(app)
    with pytest.raises(CannotCompile, match=r"is never reached: "):
        compile_routes(app)


@pytest.mark.parametrize(("serve", "path", "template"), FIRST)
def test_an_unnamed_endpoint_does_not_run_as_another_even_if_the_app_is_not_strict(
    serve: Callable[[FastAPI], None], path: str, template: str, edge: Edge
) -> None:
    app = empty()
    serve(app)
    guard(app, edge.settings())
    claims = payload(path, template, scope="")
    del claims["sub"]
    claims["rctx"] = {}
    with TestClient(app) as client:
        response = client.get(path, headers={HEADER: edge.sign(claims).decode()})
    assert (response.status_code, "INTERNAL" in response.text) == (401, False)


@pytest.mark.parametrize(("serve", "path", "template"), FIRST)
def test_a_test_client_shows_what_production_does(
    serve: Callable[[FastAPI], None],
    path: str,
    template: str,
    edge: Edge,
    as_caller: AsCaller,
) -> None:
    app = empty()
    serve(app)
    guard(app, edge.settings())
    assert as_caller(app).get(path).status_code == 401


@pytest.mark.parametrize("strict", [False, True])
def test_a_schema_without_a_route_is_not_served_by_the_authors_own(
    edge: Edge, *, strict: bool
) -> None:
    app = FastAPI()
    app.get("/openapi.json")(public(shown()))
    guard(app, edge.settings(strict=strict), docs="none")
    if strict:
        with pytest.raises(CannotCompile, match=r"is never reached: openapi "), TestClient(app):
            raise AssertionError("it has started")
        return
    headers = {HEADER: edge.mint_anonymous("/openapi.json", "/openapi.json").decode()}
    with TestClient(app) as client:
        assert client.get("/openapi.json", headers=headers).status_code == 401


@pytest.mark.parametrize("mounted", [False, True])
def test_an_unnamed_websocket_is_not_opened_as_another(edge: Edge, *, mounted: bool) -> None:
    async def socket(ws: WebSocket) -> None:
        await ws.accept()

    app = empty()
    if mounted:
        app.mount("/x", unnamed(Asgi()))
    else:
        app.router.routes.append(WebSocketRoute("/x", unnamed(socket)))
    path, template = ("/x/y", "/x/{path:path}") if mounted else ("/x", "/x")

    async def other(ws: WebSocket) -> None:
        await ws.accept()

    app.websocket(template)(public(other))
    with pytest.raises(CannotCompile, match=r"is never reached: "):
        compile_routes(app)
    guard(app, edge.settings())
    headers = edge.headers(path, template, websocket=True)
    with (
        TestClient(app) as client,
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(path, headers=headers),
    ):
        pass


async def test_an_unnamed_endpoint_that_is_added_later_is_refused_too(edge: Edge) -> None:
    app = empty()
    app.get("/x")(public(shown()))
    guard(app, edge.settings())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://testserver"
    ) as http:
        headers = edge.headers("/x", "/x")
        assert (await http.get("/x", headers=headers)).text == '"shown"'
        app.router.routes.insert(0, Route("/x", unnamed(plain())))
        assert (await http.get("/x", headers=headers)).status_code == 401


def test_an_earlier_less_specific_route_is_a_fault() -> None:
    app = empty()
    app.get("/u/{name}")(unnamed(internal()))
    app.get("/u/me")(public(shown()))
    with pytest.raises(CannotCompile, match=r"shown .*\n *is more specific than internal "):
        compile_routes(app)


def test_a_route_for_every_method_precedes_those_of_other_methods() -> None:
    app = empty()
    app.router.routes.append(Route("/x", at_edge(access="public", methods=["GET"])(Asgi())))
    app.post("/x")(public(shown()))
    with pytest.raises(CannotCompile, match=r"shown .*\n *is never reached: Asgi "):
        compile_routes(app)


def test_a_rewrite_to_an_unnamed_endpoint_is_a_fault() -> None:
    app = empty()
    app.get("/x")(at_edge(access="public", rewrite={"template": "/admin/x"})(shown()))
    app.get("/admin/x")(unnamed(internal()))
    with pytest.raises(
        CannotCompile, match=r"is rewritten to internal .*callers: access\n.*has a route"
    ):
        compile_routes(app)


def test_a_rewrite_to_another_endpoint_is_not_a_fault() -> None:
    app = empty()

    async def other() -> str:
        return "other"

    app.get("/x")(at_edge(access="public", rewrite={"template": "/admin/x"})(shown()))
    app.get("/admin/x")(public(other))
    app.get("/admin/x")(unnamed(internal()))
    app.post("/admin/x")(unnamed(plain()))
    assert [route["path"] for route in compile_routes(app)] == ["/x", "/admin/x"]


def health_check_before_the_rest(app: FastAPI) -> None:
    app.get("/health")(unnamed(internal()))


def behind_what_has_a_route(app: FastAPI) -> None:
    app.get("/{page:path}")(public(shown()))
    app.get("/health")(unnamed(internal()))


def of_other_methods(app: FastAPI) -> None:
    app.post("/{page:path}")(unnamed(internal()))


def below_another_prefix(app: FastAPI) -> None:
    app.get("/health")(at_edge(access="none", prefix="/gw")(internal()))


@pytest.mark.parametrize(
    "serve",
    [
        health_check_before_the_rest,
        behind_what_has_a_route,
        of_other_methods,
        below_another_prefix,
    ],
)
def test_a_route_without_a_conflict_is_not_a_fault(
    serve: Callable[[FastAPI], None], edge: Edge, as_caller: AsCaller
) -> None:
    app = empty()
    serve(app)
    if serve is not behind_what_has_a_route:
        app.get("/{page:path}")(public(shown()))
    assert [route["path"] for route in compile_routes(app)] == ["/{page:path}"]
    guard(app, edge.settings(strict=True))
    with as_caller(app) as client:
        assert client.get("/orders").text == '"shown"'
        # The edge judges requests without a route of their own by the route for all paths.
        expected = 200 if serve in (behind_what_has_a_route, of_other_methods) else 401
        assert client.get("/health").status_code == expected


def test_one_function_may_be_named_for_one_method_and_not_for_another(
    edge: Edge, as_caller: AsCaller
) -> None:
    app = empty()
    first, second = unnamed(APIRouter()), public(APIRouter())
    function = shown()
    first.post("/x")(function)
    second.get("/x")(function)
    app.include_router(first)
    app.include_router(second)
    guard(app, edge.settings(strict=True))
    with as_caller(app) as client:
        assert client.get("/x").text == '"shown"'
        assert client.post("/x").status_code == 405


def test_the_guards_own_health_check_runs(edge: Edge) -> None:
    app = empty()
    app.get("/health")(unnamed(internal()))
    guard(app, edge.settings(strict=True, health_path="/health"))
    with TestClient(app) as client:
        assert client.get("/health").text == '"INTERNAL"'


def late_in_an_unnamed_router(app: FastAPI) -> Callable[[], None]:
    first, second = unnamed(APIRouter()), public(APIRouter())
    app.include_router(first)
    second.get("/x/{name}")(_named())
    app.include_router(second)

    def add() -> None:
        first.get("/x/{n}")(_late())

    return add


def late_in_a_nested_unnamed_router(app: FastAPI) -> Callable[[], None]:
    first, inner = unnamed(APIRouter(prefix="/x")), APIRouter()
    first.include_router(inner)
    app.include_router(first)
    app.get("/x/{name}")(public(_named()))

    def add() -> None:
        inner.get("/{n}")(_late())

    return add


def late_below_an_unnamed_path(app: FastAPI) -> Callable[[], None]:
    at_edge(below="/x", access="none")(app)
    app.get("/x/{name}")(public(_named()))

    def add() -> None:
        app.get("/x/{n}")(_late())
        app.router.routes.insert(0, app.router.routes.pop())

    return add


def _named() -> Callable[..., Any]:
    async def named(name: str) -> str:
        return f"shown {name}"

    return named


def _late() -> Callable[..., Any]:
    async def late(n: str) -> str:
        return "INTERNAL"

    return late


LATE = [
    pytest.param(late_in_an_unnamed_router, marks=needs_inclusion),
    pytest.param(late_in_a_nested_unnamed_router, marks=needs_inclusion),
    late_below_an_unnamed_path,
]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("serve", LATE)
def test_an_endpoint_added_after_the_start_inherits_access_none(
    serve: Callable[[FastAPI], Callable[[], None]], edge: Edge, *, strict: bool
) -> None:
    app = empty()
    add = serve(app)
    guard(app, edge.settings(strict=strict))
    claims: Any = payload("/x/1", "/x/{name}", scope="")
    claims["tctx"]["route"] = "get-x--str"
    headers = {HEADER: edge.sign(claims).decode()}
    with TestClient(app) as client:
        assert client.get("/x/1", headers=headers).text == '"shown 1"'
        add()
        assert client.get("/x/1", headers=headers).status_code == 401


def test_other_routes_that_are_added_after_the_start_run(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = empty()
    app.get("/x")(public(shown()))
    guard(app, edge.settings())
    read = Mock(wraps=endpoints)
    monkeypatch.setattr("fastgate.compile.unnamed_endpoints.endpoints", read)
    with TestClient(app) as client:
        assert read.call_count == 1
        app.get("/late")(public(shown()))
        for _ in range(3):
            headers = edge.headers("/late", "/late")
            assert client.get("/late", headers=headers).text == '"shown"'
            assert client.get("/x", headers=edge.headers("/x", "/x")).status_code == 200
    assert read.call_count == 2  # once again, not for each request


def test_declarations_are_read_once_for_each_request(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = empty()
    app.get("/x")(public(shown()))
    guard(app, edge.settings())
    read = Mock(wraps=declared_on_route)
    with TestClient(app) as client:
        monkeypatch.setattr("fastgate.routes.check.declared_on_route", read)
        assert client.get("/x", headers=edge.headers("/x", "/x")).status_code == 200
    assert read.call_count == 1
