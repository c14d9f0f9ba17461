"""The route that runs is the route that the edge judged, for every kind of route."""

import asyncio
import functools
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import Caller, FastgateMiddleware, guard
from fastgate.keys.key_set import KeySet, read_key_set
from tests.edge import HEADER, HOST_FIELD, Edge

pytestmark = pytest.mark.anyio


def client(app: ASGIApp, root_path: str = "") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="https://testserver")


async def status(app: ASGIApp, edge: Edge, path: str, template: str, method: str = "GET") -> int:
    token = edge.mint(path, template, method=method)
    async with client(app) as http:
        response = await http.request(method, path, headers={HEADER: token.decode()})
    return response.status_code


async def plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ran")


class Page(HTTPEndpoint):
    """An endpoint in Starlette's own style."""

    async def get(self, _request: Request) -> PlainTextResponse:
        return PlainTextResponse("ran")


async def any_asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("ran")(scope, receive, send)


def of_every_kind(directory: Path) -> FastAPI:
    (directory / "logo.txt").write_text("a logo")
    app, tenant, inner = FastAPI(), FastAPI(), APIRouter(prefix="/inner")
    app.get("/plain/{item}")(lambda item: item)
    app.add_route("/starlette/{item}", plain)
    app.routes.append(Route("/class/{item}", Page))
    app.add_api_route("/partial", functools.partial(lambda: "ran"))
    inner.get("/{item:int}")(lambda item: item)
    inner.add_route("/starlette/{item}", plain)
    outer = APIRouter()
    outer.include_router(inner, prefix="/outer")
    app.include_router(outer, prefix="/v1")
    app.include_router(outer, prefix="/v2")
    tenant.get("/items/{item}")(lambda item: item)
    tenant.mount("/deep", Starlette(routes=[Route("/{leaf}", plain)]))
    app.mount("/tenants/{tenant}", tenant)
    app.mount("/zipped", GZipMiddleware(Starlette(routes=[Route("/{item}", plain)])))
    app.mount("/listed", Router(routes=[Mount("/{a}", routes=[Route("/{b}", plain)])]))
    app.mount("/static", StaticFiles(directory=directory))
    app.mount("/asgi", any_asgi_app)
    return app


EVERY_KIND = [
    ("/plain/7", "/plain/{item}"),
    ("/starlette/7", "/starlette/{item}"),
    ("/class/7", "/class/{item}"),
    ("/partial", "/partial"),
    ("/v1/outer/inner/7", "/v1/outer/inner/{item:int}"),
    ("/v2/outer/inner/7", "/v2/outer/inner/{item:int}"),
    ("/v1/outer/starlette/7", "/v1/outer/starlette/{item}"),
    ("/v2/outer/starlette/7", "/v2/outer/starlette/{item}"),
    ("/tenants/acme/items/7", "/tenants/{tenant}/items/{item}"),
    ("/tenants/acme/deep/7", "/tenants/{tenant}/deep/{leaf}"),
    ("/zipped/7", "/zipped/{item}"),
    ("/listed/1/2", "/listed/{a}/{b}"),
    ("/static/logo.txt", "/static/{path:path}"),
    ("/asgi/any/thing", "/asgi/{path:path}"),
    ("/openapi.json", "/openapi.json"),
    ("/docs", "/docs"),
]


@pytest.mark.parametrize(("path", "template"), EVERY_KIND)
async def test_every_kind_of_route_is_compared_without_configuration(
    edge: Edge, tmp_path: Path, path: str, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = of_every_kind(tmp_path)
    guard(app, edge.settings())
    assert await status(app, edge, path, template) == 200
    renamed = template.replace("{", "{other_")
    assert await status(app, edge, path, renamed) == 200, (
        "names of parameters do not distinguish routes"
    )
    for other in (
        path + "x",
        "/{path:path}",
        template.replace("}", ":float}"),
        "/plain/{item:int}",
    ):
        if other not in (template, path):
            caplog.clear()
            assert await status(app, edge, path, other) == 401, other
            assert caplog.messages == ["refused: route-mismatch"]


@pytest.mark.parametrize("around", [FastgateMiddleware, None])
async def test_the_position_of_the_guard_does_not_matter(
    edge: Edge, around: Callable[..., ASGIApp] | None
) -> None:
    inner = FastAPI()
    inner.get("/plain")(lambda: "ran")
    app: ASGIApp = GZipMiddleware(inner)
    app = FastgateMiddleware(app, edge.settings())
    if around is None:
        inner.add_middleware(FastgateMiddleware, settings=edge.settings())
        app = inner
    assert await status(app, edge, "/plain", "/plain") == 200
    assert await status(app, edge, "/plain", "/{page}") == 401


async def test_the_endpoint_of_another_route_and_its_tasks_do_not_run(edge: Edge) -> None:
    ran: list[str] = []
    app = FastAPI()

    @app.post("/things")
    async def make(tasks: BackgroundTasks) -> None:
        ran.append("endpoint")
        tasks.add_task(ran.append, "task")

    guard(app, edge.settings())
    assert await status(app, edge, "/things", "/{other}", "POST") == 401
    assert ran == []
    assert await status(app, edge, "/things", "/things", "POST") == 200
    assert ran == ["endpoint", "task"]


async def test_a_route_that_was_added_later_is_compared_like_the_others(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    guard(app, edge.settings())
    assert await status(app, edge, "/late", "/late") == 404
    app.get("/late")(lambda: "ran")
    caplog.clear()
    assert await status(app, edge, "/late", "/{other}") == 401
    assert caplog.messages == ["refused: route-mismatch"]
    assert await status(app, edge, "/late", "/late") == 200


async def test_a_request_that_waited_meanwhile_is_compared_too(edge: Edge) -> None:
    class Waiting:
        """Keys for which the next request has to wait, if the test says so."""

        def __init__(self) -> None:
            self.requested = asyncio.Event()
            self.next: asyncio.Event | None = None

        async def current(self) -> KeySet:
            wait, self.next = self.next, None
            if wait is not None:
                self.requested.set()
                await wait.wait()
            return read_key_set(json.dumps(edge.jwks).encode())

        async def refreshed(self) -> KeySet:
            raise AssertionError("the key is known")

    app, keys = FastAPI(), Waiting()
    guarded = FastgateMiddleware(app, edge.settings(), keys=keys)
    assert await status(guarded, edge, "/late", "/late") == 404
    app.get("/late")(lambda: "ran")
    keys.next = arrives = asyncio.Event()
    waiting = asyncio.create_task(status(guarded, edge, "/late", "/{other}"))
    await keys.requested.wait()
    assert await status(guarded, edge, "/late", "/late") == 200
    arrives.set()
    assert await waiting == 401


async def test_the_routers_own_responses_need_no_route(edge: Edge) -> None:
    app = FastAPI()
    app.get("/things/")(lambda: "ran")
    guard(app, edge.settings())
    app.mount("/deep", FastAPI(openapi_url=None, routes=app.routes[-1:]))
    assert await status(app, edge, "/nowhere", "/{page}") == 404
    assert await status(app, edge, "/deep/nowhere", "/deep/{page}") == 404
    assert await status(app, edge, "/deep/things", "/deep/things") == 307
    assert await status(app, edge, "/things", "/things") == 307
    assert await status(app, edge, "/things/", "/things/", "POST") == 405
    assert await status(app, edge, "/things/", "/{other}/", "POST") == 405


async def test_middleware_may_respond_to_a_preflight(edge: Edge) -> None:
    app = FastAPI()
    app.get("/things")(lambda: "ran")
    app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])
    guard(app, edge.settings())
    token = edge.mint("/things", "/things", method="OPTIONS").decode()
    headers = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    async with client(app) as http:
        response = await http.options("/things", headers={HEADER: token, **headers})
    assert (response.status_code, response.text) == (200, "OK")


async def test_one_app_mounted_twice_is_two_templates(edge: Edge) -> None:
    app, shop = FastAPI(), FastAPI()

    @shop.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    app.mount("/a", shop)
    app.mount("/{b}", shop)
    guard(app, edge.settings())
    assert await status(app, edge, "/a/me", "/a/me") == 200
    assert await status(app, edge, "/x/me", "/{b}/me") == 200
    assert await status(app, edge, "/a/me", "/{b}/me") == 401


async def test_a_websocket_of_another_route_is_closed_before_it_opens(edge: Edge) -> None:
    app, opened = FastAPI(), list[str]()

    @app.websocket("/sockets/{name}")
    async def talk(websocket: WebSocket, name: str) -> None:
        opened.append(name)
        await websocket.accept()

    guard(app, edge.settings())
    for template, expected in (("/{any:path}", []), ("/sockets/{name}", ["a"])):
        token = edge.mint("/sockets/a", template, websocket=True)
        await _handshake(app, "/sockets/a", token)
        assert opened == expected


async def _handshake(app: ASGIApp, path: str, token: bytes) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(_message: object) -> None:
        pass

    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [HOST_FIELD, (HEADER.lower().encode(), token)],
    }
    await app(scope, receive, send)
