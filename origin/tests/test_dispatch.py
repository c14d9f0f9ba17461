"""Nothing runs without a comparison: no matter when and how its route was added."""

from collections.abc import Awaitable, Callable
from typing import Literal

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import FastgateMiddleware, at_edge, guard
from tests.edge import HEADER, HOST, HOST_FIELD, Edge
from tests.serving import uvicorn_serving

pytestmark = pytest.mark.anyio

Next = Callable[[Request], Awaitable[Response]]


def endpoint(ran: list[str], name: str) -> Callable[[Request], Awaitable[Response]]:
    async def run(_request: Request) -> Response:
        ran.append(name)
        return PlainTextResponse(name)

    return run


def asgi(ran: list[str], name: str) -> ASGIApp:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        ran.append(name)
        await PlainTextResponse(name)(scope, receive, send)

    return run


async def fetch(
    app: ASGIApp, edge: Edge, path: str, template: str, method: str = "GET", **headers: str
) -> httpx.Response:
    token = edge.mint(path, template, method=method).decode()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
        return await http.request(method, path, headers={HEADER: token, **headers})


async def shake_hands(app: ASGIApp, edge: Edge, path: str, template: str) -> list[str]:
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            HOST_FIELD,
            (HEADER.lower().encode(), edge.mint(path, template, websocket=True)),
        ],
    }
    await app(scope, receive, send)
    return sent


# The method that runs is the method that was judged.


class MethodOverride:
    """A common kind of middleware, with which HTML forms can use DELETE."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", []):
            if name == b"x-http-method-override":
                scope = {**scope, "method": value.decode().upper()}
        await self.app(scope, receive, send)


def with_override(edge: Edge, ran: list[str], **settings: object) -> FastAPI:
    app = FastAPI(openapi_url=None)
    for method, access in (("POST", "public"), ("DELETE", "authenticated")):
        run = at_edge(access=access, id=method.lower())(endpoint(ran, method))
        app.add_route("/orders/{item}", run, methods=[method])
    app.add_route(
        "/either/{item}", at_edge(access="public")(endpoint(ran, "either")), ["PUT", "GET"]
    )
    app.mount("/asgi", at_edge(access="public", methods=["GET", "PUT"])(asgi(ran, "asgi")))
    below = Starlette(routes=[Route("/{x}", at_edge(access="public")(endpoint(ran, "x")))])
    app.mount("/below", below)
    app.add_middleware(MethodOverride)
    guard(app, edge.settings(**settings))
    return app


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_method_override_inside_the_guard_runs_no_other_method(
    edge: Edge, ran: list[str], http: Literal["h11", "httptools"]
) -> None:
    with uvicorn_serving(with_override(edge, ran), http=http) as (host, port):
        url = f"http://{host}:{port}/orders/7"
        minted = edge.mint("/orders/7", "/orders/{item}", method="POST")
        headers = {"Host": HOST, HEADER: minted.decode()}
        override = {"X-HTTP-Method-Override": "DELETE"}
        assert httpx.post(url, headers=headers).text == "POST"
        assert httpx.post(url, headers=headers | override).status_code == 401
        headers[HEADER] = edge.mint("/orders/7", "/orders/{item}", method="DELETE").decode()
        assert httpx.delete(url, headers=headers).text == "DELETE"
    assert ran == ["POST", "DELETE"]


@pytest.mark.parametrize(
    ("path", "template"),
    [("/either/7", "/either/{item}"), ("/asgi/7", "/asgi/{p:path}"), ("/below/7", "/below/{x}")],
)
async def test_a_method_override_has_no_effect_on_routes_of_several_methods_and_mounts(
    edge: Edge, ran: list[str], path: str, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = with_override(edge, ran)
    assert (await fetch(app, edge, path, template)).status_code == 200
    response = await fetch(app, edge, path, template, **{"X-HTTP-Method-Override": "PUT"})
    assert (response.status_code, len(ran)) == (401, 1)
    assert caplog.messages == ["refused: method-mismatch"]


async def test_a_path_that_middleware_rewrites_is_refused(
    edge: Edge, ran: list[str], app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    app.add_route("/orders/{item}", endpoint(ran, "orders"))
    rewritten = FastgateMiddleware(original_url(app.router), edge.settings())
    assert (await fetch(rewritten, edge, "/orders/7", "/orders/{item}")).status_code == 200
    headers = {"X-Original-URL": "/orders/8"}
    response = await fetch(rewritten, edge, "/orders/7", "/orders/{item}", **headers)
    assert (response.status_code, ran) == (401, ["orders"])
    assert caplog.messages == ["refused: path-mismatch"]


def original_url(app: ASGIApp) -> ASGIApp:
    async def rewrite(scope: Scope, receive: Receive, send: Send) -> None:
        path = dict(scope["headers"]).get(b"x-original-url", scope["path"].encode()).decode()
        await app({**scope, "path": path}, receive, send)

    return rewrite


async def test_the_health_check_runs_only_by_its_own_method(edge: Edge, ran: list[str]) -> None:
    app = FastAPI(openapi_url=None)
    app.add_route("/health", endpoint(ran, "health"), ["GET", "POST"])
    app.add_middleware(MethodOverride)
    guard(app, edge.settings(health_path="/health"))
    for headers, expected in (({}, 200), ({"X-HTTP-Method-Override": "POST"}, 401)):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
            assert (await http.get("/health", headers=headers)).status_code == expected
    assert ran == ["health"]


# Routes that are added in any way, at any time.


class Copies:
    """Middleware that passes a full copy of the scope on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


class Rebuilds(Copies):
    """Middleware that passes only the members that ASGI defines on."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = ("type", "method", "path", "raw_path", "query_string", "headers", "root_path")
        await self.app({name: scope[name] for name in names if name in scope}, receive, send)


class Wraps(Copies):
    """Starlette's own way to write middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = BaseHTTPMiddleware(app, dispatch=_pass_on)


async def _pass_on(request: Request, call_next: Next) -> Response:
    return await call_next(request)


class OwnHandle(Route):
    """A kind of route whose `handle` does not call Starlette's."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def added(how: str, app: FastAPI, ran: list[str]) -> None:
    """Add `/late/{item}` to a running app."""
    run, router = endpoint(ran, "late"), APIRouter()
    if how == "function":
        app.get("/late/{item}")(lambda: ran.append("late"))
    elif how == "starlette":
        app.add_route("/late/{item}", run)
    elif how == "replaced list":
        app.router.routes = [Route("/late/{item}", run)]
    elif how == "included":
        router.get("/{item}")(lambda: ran.append("late"))
        app.include_router(router, prefix="/late")
    elif how == "own class":
        app.router.routes.append(OwnHandle("/late/{item}", run))
    elif how == "class of this moment":
        kind = type("OfThisMoment", (OwnHandle,), {"handle": OwnHandle.app_handle})  # type: ignore[attr-defined]
        app.router.routes.append(kind("/late/{item}", run))
    elif how == "own handle of one route":
        route = Route("/late/{item}", run)
        route.handle = route.app  # type: ignore[method-assign, assignment]
        app.router.routes.append(route)
    elif how == "mounted":
        app.mount("/late", Starlette(routes=[Route("/{item}", run)]))
    elif how == "mounted behind middleware":
        below = Starlette(routes=[Route("/{item}", run)], middleware=[Middleware(Copies)])
        app.mount("/late", Copies(below))
    elif how == "mounted routes":
        app.router.routes.append(Mount("/late", routes=[Route("/{item}", run)]))
    elif how == "host":
        app.host(HOST, Router(routes=[Route("/late/{item}", run)]))


async def _app_handle(self: Route, scope: Scope, receive: Receive, send: Send) -> None:
    await self.app(scope, receive, send)


OwnHandle.app_handle = staticmethod(_app_handle)  # type: ignore[attr-defined]

HOW = [
    *("function", "starlette", "replaced list", "included", "own class", "class of this moment"),
    *("own handle of one route", "mounted", "mounted behind middleware", "mounted routes", "host"),
]


@pytest.mark.parametrize("inside", [None, Copies, Rebuilds, Wraps])
@pytest.mark.parametrize("how", HOW)
async def test_a_route_added_while_the_app_runs_is_compared_before_it_runs(
    edge: Edge, ran: list[str], how: str, inside: type[Copies] | None
) -> None:
    app = FastAPI(openapi_url=None)
    if inside is not None:
        app.add_middleware(inside)
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/late/7", "/late/{item}")).status_code == 404
    added(how, app, ran)
    assert (await fetch(app, edge, "/late/7", "/other/{item}")).status_code == 401
    assert (await fetch(app, edge, "/late/7", "/late/{item:int}")).status_code == 401
    assert ran == []
    assert (await fetch(app, edge, "/late/7", "/late/{item}")).status_code == 200
    assert ran == ["late"]


async def test_all_routes_of_an_included_router_that_grows_are_compared(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    router = APIRouter()
    router.add_route("/{item}", endpoint(ran, "starlette"))

    @router.websocket("/socket/{name}")
    async def talk(websocket: WebSocket) -> None:
        ran.append("socket")
        await websocket.accept()

    app.include_router(router, prefix="/v1")
    for round_number in range(3):  # FastAPI builds all of them again each time
        ran.clear()
        for other in ("/v1/{item:int}", "/{item}"):
            assert (await fetch(app, edge, "/v1/7", other)).status_code == 401
            sent = await shake_hands(app, edge, "/v1/socket/7", other)
            assert sent == ["websocket.close"]
        assert ran == []
        assert (await fetch(app, edge, "/v1/7", "/v1/{item}")).status_code == 200
        sent = await shake_hands(app, edge, "/v1/socket/7", "/v1/socket/{name}")
        assert (sent, ran) == (["websocket.accept"], ["starlette", "socket"])
        router.get(f"/more/{round_number}")(lambda: "more")


async def test_a_mounted_app_is_reached_only_with_a_header_for_a_route_below_it(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    for status in (200, 302, 404, 500):

        async def respond(request: Request, call_next: Next, status: int = status) -> Response:
            ran.append("middleware")
            return PlainTextResponse("secret", status)

        below = Starlette(routes=[Route("/{item}", endpoint(ran, "never"))])
        below.add_middleware(BaseHTTPMiddleware, dispatch=respond)
        app.mount(f"/m{status}/{{tenant}}", below)
        for template in ("/other/{item}", "/{rest:path}", f"/m{status}x/{{tenant}}/{{item}}"):
            refused = await fetch(app, edge, f"/m{status}/acme/7", template)
            assert (refused.status_code, ran) == (401, [])
            assert "secret" not in refused.text
        passed = await fetch(app, edge, f"/m{status}/acme/7", f"/m{status}/{{tenant}}/{{item}}")
        assert (passed.status_code, passed.text, ran) == (status, "secret", ["middleware"])
        ran.clear()


async def test_after_a_mount_a_route_for_all_paths_gets_the_404_of_the_mount(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    async def respond(request: Request, call_next: Next) -> Response:
        ran.append("middleware")
        return PlainTextResponse("secret")

    router = APIRouter()
    router.add_api_route("/included/{item}", endpoint(ran, "included"))
    below = FastAPI(openapi_url=None)
    below.include_router(router)
    below.add_api_route("/mine", endpoint(ran, "mine"), methods=["POST", "PUT"])
    below.mount("/deep", Starlette(routes=[Route("/{item}", endpoint(ran, "deep"))]))
    below.add_middleware(BaseHTTPMiddleware, dispatch=respond)
    app.mount("/api", below)
    own = Router(default=asgi(ran, "default"))
    app.mount("/own", own)
    for path, expected in [
        ("/api/nothing", 404),
        ("/api/mine", 405),
        ("/api/included/7", 401),
        ("/api/deep/7", 401),
        ("/api/deep/7/nothing", 401),  # nothing is known about a mount in a mount
        ("/own/nothing", 401),
    ]:
        response = await fetch(app, edge, path, "/{rest:path}")
        assert (response.status_code, ran) == (expected, []), path
        assert response.headers.get("Allow") == ("POST, PUT" if expected == 405 else None)
        for other in ("/{rest}", "/other/{rest:path}"):
            assert (await fetch(app, edge, path, other)).status_code == 401, path
        assert ran == [], path


async def test_a_router_with_a_default_of_its_own_serves_the_rest_of_its_paths(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    app.router.default = asgi(ran, "default")
    assert (await fetch(app, edge, "/nowhere", "/nowhere")).status_code == 401
    assert ran == []
    assert (await fetch(app, edge, "/nowhere", "/{rest:path}")).text == "default"
    assert ran == ["default"]


async def test_a_route_of_an_unknown_class_closes_its_router(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    class LooksLikeOne:
        path = "/late"

        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            return (Match.FULL if scope["path"].endswith("/late") else Match.NONE), {}

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            await asgi(ran, "late")(scope, receive, send)

    below = Router()
    app.mount("/below", below)
    for routes, path in ((below.routes, "/below/late"), (app.router.routes, "/late")):
        routes.insert(0, LooksLikeOne())  # type: ignore[arg-type]
        assert (await fetch(app, edge, path, path)).status_code == 401
    assert ran == []


async def test_an_app_of_another_framework_is_judged_as_a_whole(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    class OfAnotherFramework:
        routes = ("/a", "/b")

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await asgi(ran, "other")(scope, receive, send)

    app.mount("/other", OfAnotherFramework())
    assert (await fetch(app, edge, "/other/a", "/other/a")).status_code == 401
    assert ran == []
    assert (await fetch(app, edge, "/other/a", "/other/{path:path}")).status_code == 200


async def test_routes_within_an_app_judged_as_a_whole_were_judged_with_it(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    hidden = Starlette(routes=[Route("/{item}", endpoint(ran, "hidden"))])

    async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
        await hidden(scope, receive, send)

    app.mount("/opaque", opaque)
    assert (await fetch(app, edge, "/opaque/7", "/opaque/{path:path}")).text == "hidden"
    assert (await fetch(app, edge, "/opaque/7", "/opaque/{item}")).status_code == 401


async def test_below_a_mount_a_scope_without_its_prefix_is_refused(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    below = Rebuilds(Starlette(routes=[Route("/x", endpoint(ran, "x"))]))
    app.mount("/{tenant}", below)
    for template in ("/admin/x", "/{tenant}/x"):
        assert (await fetch(app, edge, "/admin/x", template)).status_code == 401
    assert ran == []


async def test_middleware_that_dispatches_twice_is_compared_each_time(
    edge: Edge, ran: list[str]
) -> None:
    class Twice(Copies):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def nowhere(_message: Message) -> None: ...

            await self.app(scope, receive, nowhere)
            await self.app({**scope, "path": "/other"}, receive, nowhere)
            names = ("type", "method", "raw_path", "query_string", "headers")
            bare = {name: scope[name] for name in names} | {"path": "/other"}
            await self.app(bare, receive, send)

    app = FastAPI(openapi_url=None)
    app.add_route("/one", endpoint(ran, "one"))
    app.add_route("/other", endpoint(ran, "other"))
    app.add_middleware(Twice)
    guard(app, edge.settings())
    assert (await fetch(app, edge, "/one", "/one")).status_code == 401
    assert ran == ["one"]


async def test_a_compared_endpoint_may_call_another_app_of_this_process(
    edge: Edge, ran: list[str], app: FastAPI
) -> None:
    other = Starlette(routes=[Route("/inner", endpoint(ran, "inner"))])

    async def outer(_request: Request) -> Response:
        transport = httpx.ASGITransport(other)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
            return PlainTextResponse((await http.get("/inner")).text)

    app.add_route("/outer", outer)
    assert (await fetch(app, edge, "/outer", "/outer")).text == "inner"
    transport = httpx.ASGITransport(other)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        assert (await http.get("/inner")).text == "inner", "there is no guard"


async def test_a_router_that_does_not_use_its_routes_cannot_respond(
    edge: Edge, ran: list[str]
) -> None:
    class OwnRouter(Router):
        async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "lifespan":
                scope["endpoint"] = run = asgi(ran, "own")
                await run(scope, receive, send)

    response = await fetch(FastgateMiddleware(OwnRouter(), edge.settings()), edge, "/own", "/own")
    assert (response.status_code, "own" in response.text) == (401, False)


# Responses of middleware inside the guard, to a verified request.


@pytest.mark.parametrize("status", [200, 201, 202, 304, 404, 429, 503])
async def test_a_response_of_middleware_to_a_verified_request_passes(
    edge: Edge, ran: list[str], status: int
) -> None:
    app = FastAPI(openapi_url=None)
    app.add_route("/cached", endpoint(ran, "cached"))

    @app.middleware("http")
    async def cache(request: Request, _call_next: Next) -> Response:
        return Response(status_code=status, headers={"X-Cache": "HIT"})

    guard(app, edge.settings())
    response = await fetch(app, edge, "/cached", "/cached")
    assert (response.status_code, response.headers["X-Cache"], ran) == (status, "HIT", [])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
        assert (await http.get("/cached")).status_code == 401
