"""A restrictive mark on middleware, a class or a wrapper around an endpoint is a fault."""

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from fastgate import at_edge
from fastgate.compile.policy import CannotCompile, compile_routes
from tests.test_declarations import INCLUDES_MOUNTS, Around, Inner

closed = at_edge(access="authenticated")
get = at_edge(methods=["GET"])


def page_of(**members: Any) -> Callable[[Request], Awaitable[Response]]:  # noqa: ANN401
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ran")

    return at_edge(**members)(page) if members else page


def opened() -> FastAPI:
    return at_edge(access="public")(FastAPI(openapi_url=None))


@closed
class StaffRoute(APIRoute):
    """A marked class of routes."""


@closed
class Protected:
    """A marked mixin."""


class StaffPage(Protected, Route):
    """A class of Starlette routes that has it among its bases."""


class StaffMount(Protected, Mount):
    """A class of mounts that has it among its bases."""


@closed
class Admin(FastAPI):
    """A marked class of apps."""


class StaffRouter(Protected, APIRouter):
    """A class of routers that has it among its bases."""


class Handling(APIRoute):
    """A class of routes with a marked method."""

    @closed
    def get_route_handler(self) -> Callable[..., object]:  # type: ignore[override]
        return super().get_route_handler()


class Plain:
    """Middleware with a marked function, which stores its app under another name than `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self.inner = app

    @closed
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.inner(scope, receive, send)


@closed
async def by_default(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond to requests that no route matches."""


def with_class_of_routes(app: FastAPI, kind: type[APIRoute]) -> None:
    router = APIRouter(route_class=kind, prefix="/staff")
    router.get("/x")(page_of())
    app.include_router(router)


def with_app(app: FastAPI, mounted: Starlette) -> None:
    mounted.add_route("/y", page_of())
    app.mount("/x", mounted)


def with_route(app: FastAPI, route: BaseRoute) -> None:
    app.router.routes.append(route)


def with_router(app: FastAPI, router: APIRouter) -> None:
    router.get("/x")(page_of())
    app.include_router(router)


def middleware(*kinds: Any) -> list[Middleware]:  # noqa: ANN401
    return [Middleware(kind) for kind in kinds]


async def talk(websocket: WebSocket) -> None: ...


AROUND: dict[str, Callable[[FastAPI], object]] = {
    "class of routes": lambda app: with_class_of_routes(app, StaffRoute),
    "base of a class of routes": lambda app: with_route(app, StaffPage("/x", page_of())),
    "class of mounts": lambda app: with_route(
        app, StaffMount("/x", routes=[Route("/y", page_of())])
    ),
    "method of a class of routes": lambda app: with_class_of_routes(app, Handling),
    "class of an app": lambda app: with_app(app, Admin(openapi_url=None)),
    "class of an opaque app": lambda app: with_app(
        app, at_edge(opaque=True, methods=["GET"])(Admin(openapi_url=None))
    ),
    "class of a hidden app": lambda app: app.mount("/x", get(Inner(Admin(openapi_url=None)))),
    "middleware of a route": lambda app: with_route(
        app, Route("/x", page_of(), middleware=middleware(Around))
    ),
    "the inner one of two": lambda app: with_route(
        app, Route("/x", page_of(), middleware=middleware(Inner, Plain))
    ),
    "middleware of a WebSocket": lambda app: with_route(
        app, WebSocketRoute("/x", talk, middleware=middleware(Around))
    ),
    "middleware of a router": lambda app: app.mount(
        "/x", Router([Route("/y", page_of())], middleware=middleware(Around))
    ),
    "the inner one of two of a router": lambda app: app.mount(
        "/x", Router([Route("/y", page_of())], middleware=middleware(Inner, Plain))
    ),
    "middleware of a hidden router": lambda app: app.mount(
        "/x", get(Inner(Router([Route("/y", page_of())], middleware=middleware(Around))))
    ),
    "middleware of a mounted app": lambda app: app.mount(
        "/x", Starlette(routes=[Route("/y", page_of())], middleware=middleware(Around))
    ),
    "default of a router": lambda app: app.mount(
        "/x", Router([Route("/y", page_of())], default=by_default)
    ),
}
if INCLUDES_MOUNTS:  # older FastAPI keeps no reference to an included router
    AROUND["class of an included router"] = lambda app: with_router(app, StaffRouter())


@pytest.mark.parametrize("add", AROUND.values(), ids=AROUND.keys())
def test_a_closing_mark_around_an_endpoint_is_a_fault(add: Callable[[FastAPI], object]) -> None:
    app = opened()
    add(app)
    with pytest.raises(CannotCompile, match=r"a declaration without effect: access on") as error:
        compile_routes(app)
    assert len(error.value.faults) == 1
    assert "declare it on" in str(error.value) or "mark the app itself" in str(error.value)


@pytest.mark.skipif(INCLUDES_MOUNTS, reason="older FastAPI copies what is included")
def test_a_mark_that_an_inclusion_would_lose_is_refused() -> None:
    router = APIRouter()
    router.routes.append(StaffPage("/x", page_of()))
    for each in (StaffRouter(), router):
        with pytest.raises(TypeError, match=r"drops the mark .* on inclusion: declare access on"):
            opened().include_router(each)


@closed
class MarkedApp(FastAPI):
    """The class of the app that is served."""


def test_a_closing_mark_on_the_class_of_the_app_is_a_fault() -> None:
    app = MarkedApp(openapi_url=None)
    app.get("/x")(at_edge(access="public")(page_of()))
    with pytest.raises(CannotCompile, match=r"without effect: access on MarkedApp"):
        compile_routes(app)
    assert len(compile_routes(at_edge(access="public")(app))) == 1


def test_a_repeated_declaration_with_effect_is_enough() -> None:
    app = opened()
    with_app(app, closed(Admin(openapi_url=None)))
    router = APIRouter(route_class=StaffRoute)
    router.get("/staff")(at_edge(access="optional")(page_of()))
    app.include_router(router)
    with_route(app, Route("/page", closed(page_of()), middleware=middleware(Around)))
    if INCLUDES_MOUNTS:
        with_router(app, closed(StaffRouter(prefix="/router")))
    documents = {route["path"]: route["access"] for route in compile_routes(app)}
    documents.pop("/router/x", None)
    assert documents == {"/x/y": "authenticated", "/staff": "optional", "/page": "authenticated"}


@pytest.mark.parametrize("kind", [GZipMiddleware, Around])
def test_an_entry_of_middleware_is_not_marked(kind: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="middleware cannot be marked"):
        closed(Middleware(kind))


def pages() -> Starlette:
    return Starlette(routes=[Route("/y", page_of())])


# The default of a router, for requests that no route matches.


@pytest.mark.parametrize(
    "default",
    [
        pages(),
        StaticFiles(directory=Path(__file__).parent),
        pages().__call__,
        functools.partial(pages()),
    ],
)
@pytest.mark.parametrize("mounted", [True, False])
def test_an_app_as_the_default_of_a_router_is_a_fault(default: ASGIApp, *, mounted: bool) -> None:
    app = opened()
    app.get("/y")(page_of())
    if mounted:
        app.mount("/x", Router(default=default))
    else:
        app.router.default = default
    with pytest.raises(CannotCompile, match=r"whose default is an app .*\n.*→ mount it after"):
        compile_routes(app)


def test_a_function_that_responds_404_is_not_a_fault() -> None:
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("nothing", 404)(scope, receive, send)

    app = opened()
    app.get("/y")(page_of())
    app.router.default = nothing
    app.mount("/x", Router([Route("/y", page_of())], default=nothing))
    assert [route["path"] for route in compile_routes(app)] == ["/y", "/x/y"]
