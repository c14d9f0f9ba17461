"""With any root path, a guarded app runs the same endpoint as unguarded, if it was judged."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, compile_path
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import at_edge, guard
from fastgate.compile.endpoints.route_ids import rewritten_path
from fastgate.compile.policy import compile_routes
from tests.edge import HOST, HOST_FIELD, Edge, opening, payload
from tests.serving import exchange, uvicorn_serving

pytestmark = pytest.mark.anyio

HEADER = b"fastgate-identity"
GW = "/gw"


class Source(NamedTuple):
    """The source of the root path of a request, and the changes of its path before it arrives."""

    own: str = ""
    """`FastAPI(root_path=…)`."""
    server: str = ""
    """`root_path` of the scope that the server makes."""
    put_on: bool = False
    """Whether the server adds it in front of the path, as uvicorn does."""
    proxy_strips: bool = False
    """Whether a proxy behind the edge removes `own`."""
    edge_strips: bool = False
    """Whether the edge removes `own`: `at_edge(prefix=…)`."""

    def canonical(self, path: str) -> tuple[str, str]:
        """Return the signed path for a path within the app, and the path that arrives."""
        signed = path if self.edge_strips else self.own + path
        return signed, path if self.proxy_strips else signed


SOURCES = {
    "none": Source(),
    "uvicorn": Source(server=GW, put_on=True),
    "own": Source(own=GW),
    "own, a proxy strips": Source(own=GW, proxy_strips=True),
    "own, the edge strips": Source(own=GW, edge_strips=True),
    "own and uvicorn": Source(own=GW, server=GW, put_on=True),
    "own and uvicorn, a proxy strips": Source(own=GW, server=GW, put_on=True, proxy_strips=True),
    "own and uvicorn, the edge strips": Source(own=GW, server=GW, put_on=True, edge_strips=True),
    "own and another of uvicorn's": Source(own=GW, server="/other", put_on=True),
    "client": Source(server=GW),
    "client, own": Source(own=GW, server=f"{GW}{GW}"),
    "client, a part of a path": Source(server=f"{GW}/m"),
}


def told(name: str, scope: Scope) -> PlainTextResponse:
    return PlainTextResponse(f"{name}: {scope['root_path']} {scope['path']}")


def ran(name: str) -> Callable[[Request], PlainTextResponse]:
    def endpoint(request: Request) -> PlainTextResponse:
        return told(name, request.scope)

    return endpoint


def add(app: FastAPI | APIRouter, path: str, name: str) -> None:
    async def endpoint(request: Request) -> PlainTextResponse:
        return told(name, request.scope)

    app.add_api_route(path, endpoint)


class Shape(NamedTuple):
    """Fills an app; its endpoints are at `path`, and the same below `/gw`."""

    path: str
    fill: Callable[[FastAPI, str, Path], None]
    type: str = "http"
    guarded: str = "whole"
    """`whole`, `mounted` (only the mounted app) or `both`."""
    mounts: bool = True


def plain(app: FastAPI, at: str, _files: Path) -> None:
    add(app, f"{at}/x", f"{at}/x")


def included(app: FastAPI, at: str, _files: Path) -> None:
    router = APIRouter(prefix="/r")
    add(router, "/x", f"{at}/r/x")
    app.include_router(router, prefix=at)


def fastapi(app: FastAPI, at: str, _files: Path) -> None:
    below = FastAPI(openapi_url=None)
    for path in ("/x", f"{GW}/x"):
        add(below, path, f"{at}/m{path}")
    app.mount(f"{at}/m", below)


def starlette(app: FastAPI, at: str, _files: Path) -> None:
    below = Starlette(routes=[Route(path, ran(f"{at}/m{path}")) for path in ("/x", "/m/x")])
    app.mount(f"{at}/m", below)


def parameter(app: FastAPI, at: str, _files: Path) -> None:
    app.mount(f"{at}/m/{{t}}", Starlette(routes=[Route("/x", ran(f"{at}/m/{{t}}/x"))]))


def nested(app: FastAPI, at: str, _files: Path) -> None:
    inner = Starlette(routes=[Route("/x", ran(f"{at}/m/n/x"))])
    app.mount(f"{at}/m", Starlette(routes=[Mount("/n", inner)]))


def raw(app: FastAPI, at: str, _files: Path) -> None:
    async def below(scope: Scope, receive: Receive, send: Send) -> None:
        await told(f"{at}/m/{{path:path}}", scope)(scope, receive, send)

    app.mount(f"{at}/m", at_edge(methods=["GET"])(below))


def files(app: FastAPI, at: str, directory: Path) -> None:
    for path in (f"{at}/m", GW):
        (directory / path[1:]).mkdir(parents=True, exist_ok=True)
    (directory / f"{at}/m"[1:] / "x").write_text(f"{at}/m/{{path:path}}: file")
    app.mount(f"{at}/m", StaticFiles(directory=directory / f"{at}/m"[1:]))


def socket(app: FastAPI, at: str, _files: Path) -> None:
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"{at}/x: {websocket.scope['root_path']}")
        await websocket.close()

    app.add_api_websocket_route(f"{at}/x", endpoint)


SHAPES = {
    "plain": Shape("/x", plain, mounts=False),
    "include": Shape("/r/x", included, mounts=False),
    "FastAPI": Shape("/m/x", fastapi),
    "Starlette": Shape("/m/x", starlette),
    "parameter": Shape("/m/t/x", parameter),
    "nested": Shape("/m/n/x", nested),
    "raw ASGI": Shape("/m/x", raw, mounts=False),
    "files": Shape("/m/x", files),
    "guarded within guarded": Shape("/m/x", fastapi, guarded="both"),
    "guarded within unguarded": Shape("/m/x", fastapi, guarded="mounted"),
    "WebSocket": Shape("/x", socket, type="websocket", mounts=False),
}


def build(edge: Edge, source: Source, shape: Shape, directory: Path, *, guarded: bool) -> FastAPI:
    mark = at_edge(access="public", **({"prefix": source.own} if source.edge_strips else {}))
    app = mark(FastAPI(openapi_url=None))
    app.root_path = source.own
    for at in ("", GW):
        shape.fill(app, at, directory)
    if guarded and shape.guarded != "whole":
        for route in app.routes:
            assert isinstance(route, Mount)
            assert isinstance(route.app, FastAPI)
            guard(route.app, edge.settings())
    if guarded and shape.guarded != "mounted":
        guard(app, edge.settings(strict=True))
    return app


def behind(app: ASGIApp, source: Source) -> ASGIApp:
    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        root = source.server
        path = root * source.put_on + scope["path"]
        scope = {**scope, "root_path": root, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    return server


async def fetch(app: ASGIApp, kind: str, path: str, header: bytes | None) -> str | None:
    """Return the name of the endpoint that ran; None if none did."""
    websocket = kind == "websocket"
    scope: Scope = {
        "type": kind,
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [HOST_FIELD, *([(HEADER, header)] if header else [])],
        "scheme": "ws" if websocket else "http",
        "server": (HOST, 80),
        "subprotocols": [],
    }
    status, said = 0, ""
    messages = ["websocket.connect" if websocket else "http.request"]

    async def receive() -> Message:
        if not messages:
            await anyio.sleep_forever()
        return {"type": messages.pop()}

    async def send(message: Message) -> None:
        nonlocal status, said
        status = message.get("status", status)
        said += message.get("text") or message.get("body", b"").decode()

    await app(scope, receive, send)
    return said if status == 200 or (websocket and said) else None


class Judged(NamedTuple):
    """The values that the edge signs about a route."""

    route: str
    template: str

    @property
    def is_run_by(self) -> str:
        """Return the name of the endpoint: its template within the app."""
        return f"{self.template}: "

    def header(self, edge: Edge, path: str, shape: Shape) -> bytes:
        claims = payload(path, self.template)
        claims["tctx"]["route"] = self.route  # type: ignore[index]
        return edge.sign(opening(claims) if shape.type == "websocket" else claims)


def judged(app: FastAPI) -> Iterator[Judged]:
    """Yield the values that the edge signs about each route."""
    for route in compile_routes(app):
        template = rewritten_path(str(route["path"]), route.get("rewrite", {}))  # type: ignore[arg-type]
        yield Judged(str(route["id"]), template)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
async def test_the_same_route_runs_as_unguarded_and_was_judged(
    edge: Edge, tmp_path: Path, source: Source, shape: Shape
) -> None:
    unguarded = behind(build(edge, source, shape, tmp_path, guarded=False), source)
    app = build(edge, source, shape, tmp_path, guarded=True)
    guarded, routes = behind(app, source), list(judged(app))
    root = "" if source.edge_strips else source.own  # the prefix of the templates
    paths = [in_front + shape.path for in_front in ("", GW, GW + GW, GW + GW + GW)]
    expected = {source.canonical(path) for path in paths}
    found = 0
    for wire in paths:
        free = await fetch(unguarded, shape.type, wire, None)
        assert await fetch(guarded, shape.type, wire, None) is None
        for signed in paths:
            for route in routes:
                if not compile_path(route.template)[0].match(signed):
                    continue  # the edge never signs this
                header = route.header(edge, signed, shape)
                got = await fetch(guarded, shape.type, wire, header)
                is_judged = free is not None and (root + free).startswith(route.is_run_by)
                if got is not None:
                    assert got == free, (wire, signed, route)
                    assert is_judged, (wire, signed, route)
                if is_judged and (signed, wire) in expected:
                    assert got == free, (wire, signed, route)
                    found += 1
    # Starlette's own mounts do not match if a proxy has removed the prefix that they expect.
    off = source.own and (source.proxy_strips or source.edge_strips) and not source.put_on
    within = not source.put_on and source.server.startswith(shape.path.removesuffix("/x"))
    client = source.server and not source.put_on
    different = source.own and source.server and source.server != source.own
    unusual = client or different or within or (source.put_on and source.own)
    assert found or unusual or (off and shape.mounts)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_root_paths_work_behind_uvicorn(edge: Edge, tmp_path: Path, shape: Shape) -> None:
    if shape.type == "websocket":
        pytest.skip("in test_root_path.py")
    for source in (SOURCES["uvicorn"], SOURCES["own and uvicorn, a proxy strips"]):
        app = build(edge, source, shape, tmp_path, guarded=True)
        plain_app = build(edge, source, shape, tmp_path, guarded=False)
        signed, wire = source.canonical(shape.path)
        route = next(each for each in judged(app) if compile_path(each.template)[0].match(signed))
        header = route.header(edge, signed, shape).decode()
        with uvicorn_serving(plain_app, root_path=source.server) as address:
            free = exchange(address, wire, []).partition("\r\n\r\n")[2]
        with uvicorn_serving(app, root_path=source.server) as address:
            response = exchange(address, wire, [(HEADER.decode(), header)])
            assert exchange(address, wire, []).startswith("HTTP/1.1 401")
        assert response.startswith("HTTP/1.1 200"), response
        assert response.endswith(f"\r\n\r\n{free}")
