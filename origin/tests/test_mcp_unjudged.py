"""MCP servers with rules in places where the edge does not judge their messages.

Row O28 of docs/attacks.md.
"""

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from mcp.server import MCPServer
from mcp.server.sse import SseServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from fastgate import at_edge, guard, role, tool_rule
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.content import content_digest
from tests.edge import HEADER, Edge, payload
from tests.test_mcp_messages import OPTIONS, PING

ACCEPTED = TransportSecuritySettings(allowed_hosts=["testserver"])
OPAQUE = at_edge(access="authenticated", opaque=True, methods=["GET", "POST"])
WHOLE = at_edge(access="authenticated", methods=["GET", "POST"])


def a_server(*, ruled: bool = True) -> MCPServer:
    server = MCPServer("tools")

    @server.tool(meta=tool_rule())
    def ping() -> str:
        return "pong"

    if ruled:

        @server.tool(meta=tool_rule(require=role("admin")))
        def cancel() -> str:
            return "cancelled"

    return server


def opaque(server: MCPServer, app: FastAPI) -> None:
    app.mount("/ai", OPAQUE(server.streamable_http_app(transport_security=ACCEPTED)))


def opaque_in_another(server: MCPServer, app: FastAPI) -> None:
    inner = Starlette(routes=[Mount("/in", server.streamable_http_app())])
    app.mount("/ai", OPAQUE(inner))


def opaque_behind_middleware(server: MCPServer, app: FastAPI) -> None:
    app.mount("/ai", OPAQUE(GZipMiddleware(server.streamable_http_app())))


def events(server: MCPServer, app: FastAPI) -> None:
    app.mount("/ai", WHOLE(server.sse_app()))


def opaque_events(server: MCPServer, app: FastAPI) -> None:
    app.mount("/ai", OPAQUE(server.sse_app()))


def own_events(server: MCPServer, app: FastAPI) -> None:
    transport = SseServerTransport("/messages")

    async def connect(request: Request) -> None:
        async with transport.connect_sse(request.scope, request.receive, request._send) as streams:
            options = server._lowlevel_server.create_initialization_options()
            await server._lowlevel_server.run(streams[0], streams[1], options)

    app.router.routes.append(at_edge(access="authenticated")(Route("/ai", connect)))


def function(server: MCPServer, app: FastAPI) -> None:
    server.streamable_http_app()

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await server.session_manager.handle_request(scope, receive, send)

    app.mount("/ai", WHOLE(handle))


def function_of_a_function(server: MCPServer, app: FastAPI) -> None:
    server.streamable_http_app()
    manager = server.session_manager

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await manager.handle_request(scope, receive, send)

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await serve(scope, receive, send)

    app.mount("/ai", WHOLE(handle))


def bound_method(server: MCPServer, app: FastAPI) -> None:
    server.streamable_http_app()
    app.mount("/ai", WHOLE(functools.partial(server.session_manager.handle_request)))


def an_object(server: MCPServer, app: FastAPI) -> None:
    class Tools:
        def __init__(self) -> None:
            self.server = server

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(scope, receive, send)

        async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.server.session_manager.handle_request(scope, receive, send)

    server.streamable_http_app()
    app.mount("/ai", WHOLE(Tools()))


def endpoint(server: MCPServer, app: FastAPI) -> None:
    server.streamable_http_app()

    @app.post("/ai")
    @at_edge(access="authenticated")
    async def handle(request: Request) -> None:
        await server.session_manager.handle_request(request.scope, request.receive, request._send)


GLOBAL = a_server()
GLOBAL.streamable_http_app()


async def global_handle(scope: Scope, receive: Receive, send: Send) -> None:
    await GLOBAL.session_manager.handle_request(scope, receive, send)


def global_name(_: MCPServer, app: FastAPI) -> None:
    app.mount("/ai", WHOLE(global_handle))


PLACES = [
    *(opaque, opaque_in_another, opaque_behind_middleware, events, opaque_events, own_events),
    *(function, function_of_a_function, bound_method, an_object, endpoint),
]


@pytest.mark.parametrize("place", [*PLACES, global_name])
def test_a_server_whose_rules_nobody_checks_is_a_fault(
    place: Callable[[MCPServer, FastAPI], None],
) -> None:
    app = FastAPI(openapi_url=None)
    place(a_server(), app)
    with pytest.raises(CannotCompile) as caught:
        compile_routes(app)
    (fault,) = caught.value.faults
    assert 'serves the tools of an MCP server without their rules: "cancel".' in fault.what


@pytest.mark.parametrize("place", PLACES)
def test_a_server_without_rules_may_be_anywhere(
    place: Callable[[MCPServer, FastAPI], None],
) -> None:
    other = a_server()  # in the same process
    app = FastAPI(openapi_url=None)
    place(a_server(ruled=False), app)
    app.mount("/judged", at_edge(access="authenticated")(other.streamable_http_app()))
    assert compile_routes(app)


def test_an_endpoint_may_ask_a_server_for_its_tools() -> None:
    server = a_server()
    app = FastAPI(openapi_url=None)

    @app.get("/names")
    @at_edge(access="public")
    async def names() -> list[str]:
        return [tool.name for tool in await server.list_tools()]

    app.mount("/", at_edge(access="authenticated")(server.streamable_http_app()))
    assert len(compile_routes(app)) == 2


def test_it_stops_a_strict_start(edge: Edge) -> None:
    app = FastAPI(openapi_url=None)
    opaque(a_server(), app)
    guard(app, edge.settings(strict=True))
    with pytest.raises(CannotCompile, match="without their rules"), TestClient(app):
        pass


@pytest.mark.parametrize(
    ("place", "method", "path", "template"),
    [
        (opaque, "POST", "/ai/mcp", "/ai/{path:path}"),
        (events, "GET", "/ai/sse", "/ai/sse"),
        (opaque_events, "GET", "/ai/sse", "/ai/{path:path}"),
    ],
)
def test_the_app_refuses_it_whatever_the_policy_says(
    edge: Edge,
    place: Callable[[MCPServer, FastAPI], None],
    method: str,
    path: str,
    template: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = a_server()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        server.streamable_http_app()
        async with server.session_manager.run():
            yield

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    place(server, app)
    guard(app, edge.settings())
    claims = payload(path, template, method=method)
    tctx = claims["tctx"]
    assert isinstance(tctx, dict)
    body = PING if method == "POST" else b""
    tctx["content_digest"] = content_digest(body)
    headers = {HEADER: edge.sign(claims).decode(), **OPTIONS}
    with TestClient(app) as client:
        response = client.request(method, path, content=body, headers=headers)
    assert response.status_code == 401
    assert caplog.messages[-1] == "refused: route-mismatch"
    assert "an MCP server whose messages the edge has to judge" in str(vars(caplog.records[-1]))
