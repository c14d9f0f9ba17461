"""A mounted app can be declared as one route, regardless of its own routes."""

from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from fastgate import Caller, at_edge, guard
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.testing import AsCaller
from tests.edge import HEADER, Edge, payload


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.url.path)


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("ran")
    await websocket.close()


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond as an app that is a function, such as the receiver of messages in an SSE server."""
    await PlainTextResponse("bare")(scope, receive, send)


class Converted(Route):
    """A route of a third-party class."""


def third_party() -> Starlette:
    """Return an app whose routes do not compile, each for a different reason."""
    return Starlette(
        routes=[
            Route("/{identity}/list", page),
            Route("/{a}-{b}", page),
            Route("/{rest:path}/{column}/download/", page),
            Route("/export/all", page),  # after a wider one
            Converted("/any", page, methods=["GET", "TRACE"]),
            Mount("/messages", app=bare),
            Mount("/deep", app=Router(routes=[Route("/{x}", page, methods=["POST"])])),
            WebSocketRoute("/live", talk),
            Route("/{everything:path}", page),
        ],
        middleware=[Middleware(GZipMiddleware)],
    )


PATHS = ["/x/list", "/a-b", "/export/all", "/any", "/messages/7", "/q/w/e"]


def app_with(edge: Edge, mounted: ASGIApp, *, strict: bool = True) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    app.mount("/tools", mounted)
    guard(app, edge.settings(strict=strict))
    return app


def marked(app: Starlette, **members: object) -> Starlette:
    whole = at_edge(access="authenticated", methods=["GET", "POST"], opaque=True)
    return at_edge(**members)(whole(app))  # type: ignore[arg-type]


def test_an_app_whose_routes_do_not_compile_is_one_route(edge: Edge) -> None:
    with pytest.raises(CannotCompile, match="two parameters share a segment"):
        compile_routes(app_with(edge, at_edge(access="authenticated")(third_party())))
    app = app_with(edge, marked(third_party(), websocket=True, id="tools", limits=["slow"]))
    _, *routes = compile_routes(app)
    same = {"path": "/tools/{path:path}", "access": "authenticated", "limits": ["slow"]}
    assert routes == [
        {"id": "tools", "methods": ["GET", "POST"], **same},
        {"id": "websocket-tools--path", "methods": ["GET"], "websocket": True, **same},
    ]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_an_opaque_app_is_compared_as_a_whole(
    edge: Edge, as_caller: AsCaller, *, strict: bool, wrapped: bool
) -> None:
    inner: ASGIApp = marked(third_party(), websocket=True)
    app = app_with(edge, GZipMiddleware(inner) if wrapped else inner, strict=strict)
    with as_caller(app, sub="ada") as ada:
        for path in PATHS:
            response = ada.get(f"/tools{path}")
            assert response.status_code == 200, path
            assert response.text in (f"/tools{path}", "bare")
        assert ada.post("/tools/deep/7").status_code == 200
        assert ada.delete("/tools/any").status_code == 405, "the edge does not forward it"
        with ada.websocket_connect("/tools/live") as websocket:
            assert websocket.receive_text() == "ran"
        assert ada.get("/me").json() == "ada"


def status_of(app: FastAPI, edge: Edge, path: str, template: str, method: str = "GET") -> int:
    claims = payload(path, template, method=method)
    assert isinstance(claims["tctx"], dict)
    claims["tctx"]["route"] = "get-tools--path"
    header = {HEADER: edge.sign(claims).decode()}
    status: int = TestClient(app).request(method, path, headers=header).status_code
    return status


@pytest.mark.parametrize("strict", [True, False])
def test_another_template_does_not_reach_it(edge: Edge, *, strict: bool) -> None:
    app = app_with(edge, marked(third_party()), strict=strict)
    assert status_of(app, edge, "/tools/any", "/tools/{path:path}") == 200
    for template in ("/tools/any", "/{path:path}", "/me", "/tools/{path}", "/tools"):
        assert status_of(app, edge, "/tools/any", template) == 401, template
    assert status_of(app, edge, "/me", "/tools/{path:path}") == 401


def test_an_opaque_app_must_keep_the_method(edge: Edge) -> None:
    class Override:
        """A method-override middleware inside the app."""

        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                scope["method"] = "POST"
            await self.app(scope, receive, send)

    inner = third_party()
    inner.add_middleware(Override)
    app = app_with(edge, marked(inner))
    assert status_of(app, edge, "/tools/deep/7", "/tools/{path:path}", "POST") == 200
    assert status_of(app, edge, "/tools/deep/7", "/tools/{path:path}") == 401


def test_a_mount_object_and_a_mount_below_another_can_be_marked(
    edge: Edge, as_caller: AsCaller
) -> None:
    whole = at_edge(access="authenticated", methods=["GET"], opaque=True)
    outer = Starlette(routes=[whole(Mount("/inner", app=third_party()))])
    app = app_with(edge, outer)
    assert [route["path"] for route in compile_routes(app)] == ["/me", "/tools/inner/{path:path}"]
    assert as_caller(app, sub="ada").get("/tools/inner/a-b").text == "/tools/inner/a-b"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"methods": None}, "methods is None"),
        ({"opaque": "yes"}, "opaque is 'yes'; it must be True or False"),
    ],
)
def test_nonsense_is_refused_where_it_is_written(members: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        marked(third_party(), **members)


def test_opaque_is_declared_only_on_a_mounted_app(edge: Edge) -> None:
    app = app_with(edge, at_edge(access="public", opaque=True)(third_party()))
    with pytest.raises(CannotCompile, match="accepts any method"):
        compile_routes(app)
    for refused in (APIRouter(), app):
        with pytest.raises(ValueError, match="declare opaque on a mounted app"):
            at_edge(opaque=True, below=None if refused is not app else "/tools")(refused)
    endpoint = FastAPI(openapi_url=None)
    endpoint.get("/")(at_edge(opaque=True, access="public")(bare))
    with pytest.raises(CannotCompile, match="is not a mounted app"):
        compile_routes(endpoint)
    with pytest.raises(CannotCompile, match='inherits "opaque"'):
        compile_routes(at_edge(opaque=True)(FastAPI()))


def test_a_declaration_below_an_opaque_app_is_a_fault(edge: Edge) -> None:
    inner = FastAPI(openapi_url=None)

    @inner.get("/secret")
    @at_edge(require={"rule": "staff"})
    async def secret(caller: Caller) -> None: ...

    with pytest.raises(CannotCompile, match=r"has a declaration without effect: .* one opaque app"):
        compile_routes(app_with(edge, marked(inner)))


def test_docs_does_not_apply_to_pages_of_an_opaque_app(edge: Edge, tmp_path: Path) -> None:
    app = FastAPI()
    app.mount("/tools", marked(FastAPI()))
    guard(app, edge.settings(strict=True), docs="none")
    assert [route["path"] for route in compile_routes(app)] == ["/tools/{path:path}"]


class Health:
    """A mounted app with a reference to the app in which it is mounted."""

    def __init__(self, app: object) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("healthy")(scope, receive, send)


def leads_back(outer: FastAPI, *, opaque: bool, deep: bool) -> FastAPI:
    outer.get("/me")(at_edge(access="public")(lambda: "me"))
    within = FastAPI(openapi_url=None) if deep else outer
    members = {"opaque": True} if opaque else {}
    mark = at_edge(access="public", methods=["GET"], **members)  # type: ignore[arg-type]
    within.mount("/health", mark(Health(outer)))
    if deep:
        outer.mount("/v1", within)
    return outer


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("docs", [None, "public"])
def test_a_mount_that_leads_back_to_its_own_app_is_a_fault(
    edge: Edge, docs: str | None, *, deep: bool
) -> None:
    app = leads_back(FastAPI(openapi_url=None), opaque=False, deep=deep)
    guard(app, edge.settings(strict=True), docs=docs)
    with (
        pytest.raises(CannotCompile, match=r"Health .*\n *has an attribute app with an app"),
        TestClient(app),
    ):
        raise AssertionError("it has started")


@pytest.mark.parametrize("deep", [False, True])
def test_a_cycle_compiles_as_one_opaque_app(edge: Edge, as_caller: AsCaller, *, deep: bool) -> None:
    app = leads_back(FastAPI(openapi_url=None), opaque=True, deep=deep)
    guard(app, edge.settings(strict=True))
    above = "/v1" if deep else ""
    paths = [route["path"] for route in compile_routes(app)]
    assert paths == ["/me", f"{above}/health/{{path:path}}"]
    with as_caller(app) as client:
        assert client.get(f"{above}/health/x").text == "healthy"


def test_an_app_that_mounts_its_own_router_is_a_fault() -> None:
    app = FastAPI(openapi_url=None)
    app.mount("/again", at_edge(access="public")(Health(app.router)))
    with pytest.raises(CannotCompile, match=r"has an attribute app with an app"):
        compile_routes(app)


def test_an_app_may_be_mounted_twice(edge: Edge) -> None:
    app, inner = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
    inner.get("/x")(at_edge(access="public")(lambda: "x"))
    app.mount("/a", Health(inner))
    app.mount("/b", inner)
    assert [route["path"] for route in compile_routes(app)] == ["/a/x", "/b/x"]
