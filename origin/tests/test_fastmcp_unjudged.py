"""Servers of the package `fastmcp` with rules, where the edge does not judge their messages.

Row O28 of docs/attacks.md.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from fastgate import at_edge, guard, role, tool_rule
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.content import content_digest
from tests.edge import HEADER, Edge

fastmcp: Any = pytest.importorskip("fastmcp")
auth: Any = pytest.importorskip("fastmcp.server.auth")
http: Any = pytest.importorskip("fastmcp.server.http")
sse: Any = pytest.importorskip("mcp.server.sse")
messages: Any = pytest.importorskip("tests.test_mcp_messages")

OPAQUE = at_edge(access="authenticated", opaque=True, methods=["GET", "POST"])
WHOLE = at_edge(access="authenticated", methods=["GET", "POST"])


def give() -> str:
    return ""


def in_meta() -> Any:  # noqa: ANN401
    server = fastmcp.FastMCP("tools")
    server.tool(name="ping", meta=tool_rule())(give)
    server.tool(name="cancel", meta=tool_rule(require=role("admin")))(give)
    return server


def beside_checks() -> Any:  # noqa: ANN401
    server = fastmcp.FastMCP("tools")
    server.tool(name="scoped", auth=auth.require_scopes("a"))(give)
    server.tool(name="cancel", auth=auth.require_scopes("a"), meta=tool_rule(scopes=["c"]))(give)
    return server


def of_a_prompt() -> Any:  # noqa: ANN401
    server = fastmcp.FastMCP("tools")
    server.prompt(name="cancel", meta=tool_rule(scopes=["c"]))(give)
    return server


def mounted() -> Any:  # noqa: ANN401
    outer = fastmcp.FastMCP("outer")
    outer.mount(in_meta(), "in")
    return outer


def mounted_twice() -> Any:  # noqa: ANN401
    outer = fastmcp.FastMCP("outer")
    outer.mount(mounted())
    return outer


def with_a_verifier() -> Any:  # noqa: ANN401
    server = fastmcp.FastMCP("tools", auth=auth.StaticTokenVerifier({}))
    server.tool(name="cancel", meta=tool_rule(scopes=["c"]))(give)
    return server


def without_rules() -> Any:  # noqa: ANN401
    server = fastmcp.FastMCP("tools")
    server.tool(name="ping", meta=tool_rule())(give)
    server.tool(name="scoped", auth=auth.require_scopes("a"))(give)
    outer = fastmcp.FastMCP("outer")
    outer.mount(server)
    return outer


SERVERS = [in_meta, beside_checks, of_a_prompt, mounted, mounted_twice, with_a_verifier]


def opaque(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    app.mount("/ai", OPAQUE(server.http_app()))


def opaque_in_another(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    app.mount("/ai", OPAQUE(Starlette(routes=[Mount("/in", server.http_app())])))


def opaque_behind_middleware(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    app.mount("/ai", OPAQUE(GZipMiddleware(server.http_app())))


def events(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    app.mount("/ai", WHOLE(server.http_app(transport="sse")))


def opaque_events(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    app.mount("/ai", OPAQUE(server.http_app(transport="sse")))


def own_events(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    transport = sse.SseServerTransport("/messages")

    async def connect(request: Request) -> None:
        async with transport.connect_sse(request.scope, request.receive, request._send) as streams:
            options = server._mcp_server.create_initialization_options()
            await server._mcp_server.run(streams[0], streams[1], options)

    app.router.routes.append(at_edge(access="authenticated")(Route("/ai", connect)))


def function(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    manager = http.FastMCPStreamableHTTPSessionManager(server._mcp_server)

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await manager.handle_request(scope, receive, send)

    app.mount("/ai", WHOLE(handle))


def function_of_an_app(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    inner = server.http_app()

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(scope, receive, send)

    app.mount("/ai", WHOLE(handle))


def function_that_makes_the_app(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await server.http_app()(scope, receive, send)

    app.mount("/ai", WHOLE(handle))


def endpoint(server: Any, app: FastAPI) -> None:  # noqa: ANN401
    transport = http.StreamableHTTPASGIApp(
        http.FastMCPStreamableHTTPSessionManager(server._mcp_server)
    )

    @app.post("/ai")
    @at_edge(access="authenticated")
    async def handle(request: Request) -> None:
        await transport(request.scope, request.receive, request._send)


PLACES = [
    *(opaque, opaque_in_another, opaque_behind_middleware, events, opaque_events, own_events),
    *(function, function_of_an_app, function_that_makes_the_app, endpoint),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("server", SERVERS)
def test_a_server_whose_rules_nobody_checks_is_a_fault(
    server: Callable[[], Any], place: Callable[[Any, FastAPI], None]
) -> None:
    app = FastAPI(openapi_url=None)
    place(server(), app)
    with pytest.raises(CannotCompile) as caught:
        compile_routes(app)
    wanted = 'the edge does not judge, and tools of this app have rules: "cancel".'
    assert wanted in caught.value.faults[0].what


@pytest.mark.parametrize("place", PLACES)
def test_a_server_without_rules_may_be_anywhere_if_no_tool_has_one(
    place: Callable[[Any, FastAPI], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastgate.declare.values.mcp._rules", {})  # of other tests
    app = FastAPI(openapi_url=None)
    place(without_rules(), app)
    assert compile_routes(app)


def of_events(server: Any) -> Any:  # noqa: ANN401
    return server.http_app(transport="sse")


def of_messages(server: Any) -> Any:  # noqa: ANN401
    return server.http_app()


RUN = [
    (of_messages, OPAQUE, "POST", "/ai/mcp", "/ai/{path:path}"),
    (of_events, WHOLE, "GET", "/ai/sse", "/ai/sse"),
    (of_events, OPAQUE, "GET", "/ai/sse", "/ai/{path:path}"),
]


@pytest.mark.parametrize(("served", "mark", "method", "path", "template"), RUN)
@pytest.mark.parametrize("server", [*SERVERS])
def test_the_app_refuses_it_whatever_the_policy_says(
    edge: Edge,
    server: Callable[[], Any],
    served: Callable[[Any], Any],
    mark: Callable[[Any], Any],
    method: str,
    path: str,
    template: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    inner = served(server())
    response = _asked(edge, inner, mark, (method, path, template))
    assert response.status_code == 401
    assert "refused: route-mismatch" in caplog.messages
    record = caplog.records[caplog.messages.index("refused: route-mismatch")]
    assert "an MCP server whose messages the edge has to judge" in str(vars(record))


def test_routes_of_a_server_in_another_app_are_refused_too(edge: Edge) -> None:
    served = in_meta().http_app()
    inner = Starlette(routes=[*served.routes])
    app = FastAPI(openapi_url=None)
    app.mount("/ai", OPAQUE(inner))
    with pytest.raises(CannotCompile, match="tools of this app have rules"):
        compile_routes(app)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with served.lifespan(served):
            yield

    inner.lifespan = lifespan  # type: ignore[attr-defined]
    assert _asked(edge, inner, OPAQUE, RUN[0][2:]).status_code == 401


def test_messages_of_an_opaque_server_arrive_if_no_tool_has_a_rule(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastgate.declare.values.mcp._rules", {})  # of other tests
    response = _asked(edge, without_rules().http_app(stateless_http=True), OPAQUE, RUN[0][2:])
    assert (response.status_code, '"result":' in response.text) == (200, True)


def test_scopes_of_checks_hold_without_the_edge(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package checks them itself, so they may be anywhere; without a verifier all fail."""
    monkeypatch.setattr("fastgate.declare.values.mcp._rules", {})  # of other tests
    call = messages.PING.replace(b'"ping"', b'"scoped"')
    assert call != messages.PING
    served = without_rules().http_app(stateless_http=True)
    response = _asked(edge, served, OPAQUE, RUN[0][2:], call)
    assert (response.status_code, "Unknown tool: 'scoped'" in response.text) == (200, True)


def _asked(
    edge: Edge,
    inner: Any,  # noqa: ANN401
    mark: Callable[[Any], Any],
    route: tuple[str, str, str],
    message: bytes = messages.PING,
) -> Any:  # noqa: ANN401
    method, path, template = route
    app = FastAPI(openapi_url=None, lifespan=inner.lifespan)
    app.mount("/ai", mark(inner))
    guard(app, edge.settings())
    body = message if method == "POST" else b""
    judged = {"content_digest": content_digest(body)}
    header = messages.signed(edge, method, path, template, judged)
    headers = {HEADER: header, **messages.OPTIONS}
    with TestClient(app) as client:
        return client.request(method, path, content=body, headers=headers)
