"""MCP servers with rules in places where the edge does not judge their messages.

Row O28 of docs/attacks.md.
"""

import functools
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest
from fastapi import FastAPI, Request
from mcp.server import MCPServer
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import Mcp, at_edge, guard, role, tool_rule
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.content import content_digest
from fastgate.request import mcp_transports
from tests.edge import HEADER, Edge
from tests.test_mcp_messages import OPTIONS, PING, minted, signed

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
    fault = caught.value.faults[0]
    assert 'the edge does not judge, and tools of this app have rules: "cancel".' in fault.what


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("any_rules", [True, False])
def test_a_server_without_rules_may_be_anywhere_if_no_tool_has_one(
    place: Callable[[MCPServer, FastAPI], None], any_rules: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastgate.declare.values.mcp._rules", {})  # of other tests
    if any_rules:
        Mcp(prompts={"summary": tool_rule(require=role("admin"))})
    app = FastAPI(openapi_url=None)
    place(a_server(ruled=False), app)
    if any_rules:
        with pytest.raises(CannotCompile, match="tools of this app have rules"):
            compile_routes(app)
    else:
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
    with pytest.raises(CannotCompile, match="tools of this app have rules"), TestClient(app):
        pass


class Service:
    """A service of an app, which a global name refers to."""

    server: MCPServer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.server.session_manager.handle_request(scope, receive, send)


class Sent(Response):
    """A response that was sent before."""

    async def __call__(self, *_: object) -> None: ...


SERVICE = Service()
REGISTRY: dict[str, MCPServer] = {}


def of_a_service(server: MCPServer, app: FastAPI) -> None:
    SERVICE.server = server

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await SERVICE(scope, receive, send)

    app.mount("/ai", WHOLE(handle))


def of_a_registry(server: MCPServer, app: FastAPI) -> None:
    REGISTRY["tools"] = server

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        manager = REGISTRY["tools"].session_manager
        await manager.handle_request(scope, receive, send)

    app.mount("/ai", WHOLE(handle))


def of_the_state(server: MCPServer, app: FastAPI) -> None:
    app.state.tools = server

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.tools.session_manager.handle_request(scope, receive, send)

    app.mount("/ai", WHOLE(handle))


def of_an_endpoint(server: MCPServer, app: FastAPI) -> None:
    app.state.tools = server

    @app.post("/ai/{rest:path}")
    @at_edge(access="authenticated")
    async def handle(request: Request) -> Response:
        run = request.app.state.tools.session_manager.handle_request
        await run(request.scope, request.receive, request._send)
        return Sent()


def of_middleware(server: MCPServer, app: FastAPI) -> None:
    class Tools:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await server.session_manager.handle_request(scope, receive, send)
            else:
                await self.app(scope, receive, send)

    app.add_middleware(Tools)

    @app.post("/ai/{rest:path}")
    @at_edge(access="authenticated")
    async def placeholder() -> None: ...


def of_another_scope(server: MCPServer, app: FastAPI) -> None:
    app.state.tools = server

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        own = {name: value for name, value in scope.items() if "fastgate" not in name}
        run = scope["app"].state.tools.session_manager.handle_request
        await run(own, receive, send)

    app.mount("/ai", WHOLE(handle))


def of_a_session(_: MCPServer, app: FastAPI) -> None:
    transport = StreamableHTTPServerTransport(None)

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await transport.handle_request(scope, receive, send)

    app.mount("/ai", WHOLE(handle))


HIDDEN = [
    *(of_a_service, of_a_registry, of_the_state, of_an_endpoint, of_middleware, of_a_session),
    of_another_scope,
    *(function, function_of_a_function, bound_method, an_object),
]


@pytest.mark.parametrize("place", HIDDEN)
def test_the_transports_refuse_what_the_compiler_does_not_find(
    edge: Edge, place: Callable[[MCPServer, FastAPI], None], caplog: pytest.LogCaptureFixture
) -> None:
    server = a_server()
    response = called(edge, server, place, "POST", "/ai/mcp", "/ai/{path:path}")
    if place is of_an_endpoint:
        response = called(edge, a_server(), place, "POST", "/ai/mcp", "/ai/{rest:path}")
    assert response.status_code == 401
    assert caplog.messages[-1] == "refused: route-mismatch"


@pytest.mark.parametrize("place", [*HIDDEN[:5], of_another_scope])
def test_a_guard_that_observes_reports_it_once_and_lets_it_run(
    edge: Edge, place: Callable[[MCPServer, FastAPI], None], caplog: pytest.LogCaptureFixture
) -> None:
    name = "rest" if place is of_an_endpoint else "path"
    template = f"/ai/{{{name}:path}}"
    response = called(edge, a_server(), place, "POST", "/ai/mcp", template, observe=True)
    assert (response.status_code, "pong" in response.text) == (200, True)
    told = [each for each in caplog.messages if "refused" in each]
    assert told == ["would be refused: route-mismatch"]


def test_a_message_that_was_judged_for_one_server_does_not_run_on_another(edge: Edge) -> None:
    judged, other = a_server(), a_server()

    class Switch:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            is_for_other = any(name == b"x-tenant" for name, _ in scope.get("headers", ()))
            run = other.session_manager.handle_request if is_for_other else self.app
            await run(scope, receive, send)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with judged.session_manager.run(), other.session_manager.run():
            yield

    ready(other)
    tools = judged.streamable_http_app(
        stateless_http=True, json_response=True, transport_security=ACCEPTED
    )
    app = FastAPI(openapi_url=None, lifespan=lifespan)
    app.mount("/", at_edge(access="authenticated")(tools))
    app.add_middleware(Switch)
    guard(app, edge.settings())
    header = minted(edge, content_digest(PING), {"method": "tools/call", "name": "ping"})
    headers = {HEADER: header, **OPTIONS}
    with TestClient(app) as client:
        assert client.post("/mcp", content=PING, headers=headers).status_code == 200
        switched = client.post("/mcp", content=PING, headers={**headers, "x-tenant": "b"})
        assert switched.status_code == 401


@pytest.fixture
def as_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the package as it is loaded, before a guard has changed it."""
    for module, kind, name in mcp_transports._RECEIVE:
        loaded = sys.modules[module]
        holder = loaded if kind is None else getattr(loaded, kind)
        found = getattr(holder, name)
        monkeypatch.setattr(holder, name, getattr(found, "__wrapped__", found))
    monkeypatch.setattr(mcp_transports, "_changed", set())


@pytest.mark.usefixtures("as_loaded")
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
@pytest.mark.parametrize("by_events", [True, False])
def test_a_method_that_was_stored_before_is_refused_too(
    edge: Edge, version: str, by_events: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server = a_server()
    ready(server)
    stored = server.session_manager.handle_request
    if by_events:
        stored = SseServerTransport("/messages", security_settings=ACCEPTED).handle_post_message

    class Tools:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await stored(scope, receive, send)

    def stored_in_an_object(_: MCPServer, app: FastAPI) -> None:
        app.mount("/ai", WHOLE(stored if by_events else Tools()))

    fields = {"mcp-protocol-version": version, "mcp-method": "tools/call", "mcp-name": "ping"}
    response = called(
        edge,
        server,
        stored_in_an_object,
        "POST",
        "/ai/mcp",
        "/ai/{path:path}",
        fields,
        is_ready=True,
    )
    assert response.status_code == 401
    assert caplog.messages[-1] == "refused: route-mismatch"


def test_a_server_without_rules_is_served(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastgate.declare.values.mcp._rules", {})  # of other tests
    server = a_server(ruled=False)
    for place in (of_a_service, of_a_registry):
        response = called(edge, server, place, "POST", "/ai/mcp", "/ai/{path:path}")
        assert (response.status_code, "pong" in response.text) == (200, True)
        server = a_server(ruled=False)


def test_a_page_about_a_server_serves_no_tools() -> None:
    server = a_server()
    app = FastAPI(openapi_url=None)
    app.mount("/judged", at_edge(access="authenticated")(server.streamable_http_app()))

    @app.get("/health")
    @at_edge(access="public")
    async def health() -> str:
        return f"{server.session_manager}, {await server.list_tools()}"

    assert len(compile_routes(app)) == 2


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
    response = called(edge, a_server(), place, method, path, template)
    assert response.status_code == 401
    assert caplog.messages[-1] == "refused: route-mismatch"
    assert "an MCP server whose messages the edge has to judge" in str(vars(caplog.records[-1]))


def ready(server: MCPServer) -> None:
    server.streamable_http_app(stateless_http=True, json_response=True, transport_security=ACCEPTED)


def called(
    edge: Edge,
    server: MCPServer,
    place: Callable[[MCPServer, FastAPI], None],
    method: str,
    path: str,
    template: str,
    fields: Mapping[str, str] = MappingProxyType({}),
    *,
    is_ready: bool = False,
    observe: bool = False,
) -> Any:  # noqa: ANN401 - of httpx, or of the package that follows it
    """Send a request that the edge judged to an app with a server in this place."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with server.session_manager.run():
            yield

    if not is_ready:
        ready(server)
    app = FastAPI(openapi_url=None, lifespan=lifespan)
    place(server, app)
    guard(app, edge.settings(), observe=observe)
    body = PING if method == "POST" else b""
    header = signed(edge, method, path, template, {"content_digest": content_digest(body)})
    headers = {HEADER: header, **OPTIONS, **fields}
    with TestClient(app) as client:
        return client.request(method, path, content=body, headers=headers)
