"""A strict app does not start if an endpoint does not declare its callers."""

import contextlib
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message

from fastgate import Caller, FastgateMiddleware, any_caller, at_edge, fastgate, guard
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.testing import AsCaller
from tests.edge import HEADER, Edge, payload

pytestmark = pytest.mark.anyio


async def forgotten() -> None: ...


async def health(_request: Request) -> Response:
    return Response()


async def read_me(caller: Caller) -> str:
    return caller.subject


def strict_app(edge: Edge) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/me")(read_me)
    guard(app, edge.settings(strict=True))
    return app


async def failed_start(app: ASGIApp, error: type[Exception] = CannotCompile) -> Message:
    """Return the message of an app that does not start; it raises like any other app."""
    sent: list[Message] = []
    with pytest.raises(error):
        await start(app, sent)
    (failed,) = sent
    assert failed["type"] == "lifespan.startup.failed"
    return failed


async def start(app: ASGIApp, sent: list[Message] | None = None) -> list[Message]:
    sent = [] if sent is None else sent
    waiting = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Message:
        return {"type": next(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "lifespan", "state": {}}, receive, send)
    return sent


async def test_an_app_that_declares_every_endpoint_starts(edge: Edge) -> None:
    app = strict_app(edge)
    app.add_route("/health", at_edge(access="none")(health))
    started = [message["type"] for message in await start(app)]
    assert started == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_the_start_fails_with_the_name_and_file_of_a_forgotten_endpoint(edge: Edge) -> None:
    app = strict_app(edge)
    app.get("/forgotten")(forgotten)
    failed = await failed_start(app)
    line = forgotten.__code__.co_firstlineno
    assert (
        f"forgotten (/forgotten, {__file__}:{line})\n    does not declare who" in failed["message"]
    )


async def test_without_strict_it_starts(edge: Edge) -> None:
    app = FastAPI()
    guard(app, edge.settings())
    assert (await start(app))[0]["type"] == "lifespan.startup.complete"


async def test_an_override_of_the_caller_prevents_the_start(edge: Edge) -> None:
    app = strict_app(edge)
    app.dependency_overrides[any_caller] = forgotten
    failed = await failed_start(app)
    assert "forgotten (every path, " in failed["message"]


@pytest.mark.parametrize("depth", [1, 2])
async def test_an_override_in_a_mounted_app_prevents_the_start(edge: Edge, depth: int) -> None:
    app = within = strict_app(edge)
    for _ in range(depth):
        below = FastAPI(openapi_url=None)
        within.mount("/below", below)
        within = below
    within.dependency_overrides[fastgate] = forgotten
    failed = await failed_start(app)
    assert "forgotten (every path, " in failed["message"]


async def fetch(app: ASGIApp, edge: Edge, *, signed: bool = True) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://testserver"
    ) as http:
        header = {HEADER: edge.mint("/me", "/me").decode()} if signed else {}
        return await http.get("/me", headers=header)


async def test_a_server_without_lifespan_gets_503_and_one_line_in_the_log(
    edge: Edge, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = strict_app(edge)
    app.get("/forgotten")(forgotten)
    for signed in (True, False, True):
        response = await fetch(app, edge, signed=signed)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert response.json()["type"] == "urn:fastgate:problem:unavailable"
        # The routes are compiled once.
        monkeypatch.setattr("fastgate.startup.route_ids_or_raise", None)
    (record,) = caplog.records
    assert "every request gets a 503" in record.getMessage()
    assert "forgotten (/forgotten, " in record.getMessage()


async def test_a_websocket_is_refused_as_well(edge: Edge) -> None:
    app, sent = strict_app(edge), list[Message]()
    app.get("/forgotten")(forgotten)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": "/me", "headers": []}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_faults_before_the_start_are_examined_again_after_it(edge: Edge) -> None:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        at_edge(access="public")(page)
        yield

    async def page() -> None: ...

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    app.get("/me")(read_me)
    app.get("/page")(page)
    guard(app, edge.settings(strict=True))
    assert (await fetch(app, edge)).status_code == 503
    assert (await start(app))[0]["type"] == "lifespan.startup.complete"
    assert (await fetch(app, edge, signed=False)).status_code == 401


async def test_a_forgotten_endpoint_added_during_the_start_prevents_it(edge: Edge) -> None:
    ended: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.get("/forgotten")(forgotten)
        try:
            yield
        finally:
            ended.append("closed what it had opened")

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    guard(app, edge.settings(strict=True))
    failed = await failed_start(app)
    assert "forgotten (/forgotten, " in failed["message"]
    assert ended


async def test_a_lifespan_that_swallows_exceptions_does_not_hide_the_fault(edge: Edge) -> None:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with contextlib.suppress(Exception):
            yield

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    app.get("/forgotten")(forgotten)
    guard(app, edge.settings(strict=True))
    failed = await failed_start(app)
    assert "forgotten (/forgotten, " in failed["message"]


def test_the_test_client_raises_the_fault_that_prevents_the_start(edge: Edge) -> None:
    app = strict_app(edge)
    app.get("/forgotten")(forgotten)
    with pytest.raises(CannotCompile, match="forgotten"), TestClient(app):
        raise AssertionError("it has started")


# The id of the route that runs is the id that the policy gives it.


def with_ids(edge: Edge, *, strict: bool) -> FastAPI:
    app, tenant = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
    app.get("/me", operation_id="read_me")(read_me)
    app.post("/me")(read_me)
    tenant.get("/me")(read_me)
    app.mount("/tenants/{tenant}", tenant)
    app.add_route("/health", at_edge(access="none")(health))
    app.mount("/files", at_edge(access="public", id="all-files")(StaticFiles(directory=".")))
    guard(app, edge.settings(strict=strict))
    return app


async def status(
    app: FastAPI, edge: Edge, method: str, path: str, template: str, route: str
) -> int:
    claims = payload(path, template, method=method)
    assert isinstance(claims["tctx"], dict)
    claims["tctx"]["route"] = route
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://testserver"
    ) as http:
        header = {HEADER: edge.sign(claims).decode()}
        return (await http.request(method, path, headers=header)).status_code


FILE = "/files/pyproject.toml"


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/me", "/me"),
        ("POST", "/me", "/me"),
        ("GET", "/tenants/acme/me", "/tenants/{tenant}/me"),
        ("GET", FILE, "/files/{path:path}"),
        ("HEAD", FILE, "/files/{path:path}"),
    ],
)
async def test_a_strict_app_compares_the_id_that_its_policy_gives_the_route(
    edge: Edge,
    method: str,
    path: str,
    template: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    strict, lenient = (with_ids(edge, strict=strict) for strict in (True, False))
    routes = {str(route["id"]): route for route in compile_routes(strict)}
    (own,) = (
        name
        for name, route in routes.items()
        if route["path"] == template and method in route["methods"]  # type: ignore[operator]
    )
    assert len(routes) == 4
    for name in (*routes, "read_order", ""):
        caplog.clear()
        expected = 200 if name == own else 401
        assert await status(strict, edge, method, path, template, name) == expected, name
        if name not in (own, ""):
            assert caplog.messages == ["refused: route-mismatch"]
            assert await status(lenient, edge, method, path, template, name) == 200


@pytest.mark.parametrize("path", ["/raw", "/v1/raw", "/v1/in/raw"])
async def test_included_starlette_routes_are_served_at_their_full_path(
    edge: Edge, path: str
) -> None:
    app, outer, router = FastAPI(openapi_url=None), APIRouter(), APIRouter()
    route = at_edge(access="public")(functools.partial(health))
    for holder in (app, outer, router):
        holder.add_route("/raw", route, methods=["GET"])
    outer.include_router(router, prefix="/in")
    app.include_router(outer, prefix="/v1")
    guard(app, edge.settings(strict=True))
    ids = {str(each["path"]): str(each["id"]) for each in compile_routes(app)}
    assert ids.keys() == {"/raw", "/v1/raw", "/v1/in/raw"}
    for other, name in ids.items():
        expected = 200 if other == path else 401
        assert await status(app, edge, "GET", path, path, name) == expected, other
        assert await status(app, edge, "GET", path, other, ids[path]) == expected, other


async def test_an_endpoint_without_a_route_at_the_edge_is_not_reached(edge: Edge) -> None:
    app = with_ids(edge, strict=True)
    assert await status(app, edge, "GET", "/health", "/health", "health") == 401


def test_the_helpers_sign_the_ids_of_a_strict_app(
    edge: Edge, as_caller: AsCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    ada = as_caller(with_ids(edge, strict=True), sub="ada")
    assert ada.get("/me").status_code == ada.post("/me").status_code == 200
    assert ada.get("/tenants/acme/me").status_code == ada.get(FILE).status_code == 200


async def test_strict_needs_an_app_with_visible_routes(edge: Edge) -> None:
    async def opaque(*_asgi: object) -> None: ...

    failed = await failed_start(FastgateMiddleware(opaque, edge.settings(strict=True)), TypeError)
    assert "with visible routes" in failed["message"]


def test_uvicorn_does_not_serve_an_app_with_a_forgotten_endpoint(edge: Edge) -> None:
    app = strict_app(edge)
    app.get("/forgotten")(forgotten)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    with pytest.raises(SystemExit):
        server.run()
    assert not server.started
