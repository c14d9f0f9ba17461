"""A declaration is read, by the compiler and at run time, or it is a fault."""

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import at_edge, guard
from fastgate.content import content_digest
from fastgate.policy import CannotCompile, compile_routes
from tests.edge import HEADER, Edge, payload

closed = at_edge(access="authenticated", scopes=["admin"])
public = at_edge(access="public", methods=["GET"])


class Inner:
    """Middleware that calls its app by a name of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.inner(scope, receive, send)


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await request.body()).decode())


def handler() -> Callable[[], Awaitable[str]]:
    async def answer() -> str:
        return "ran"

    return answer


def raw() -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("ran")(scope, receive, send)

    return app


def unwrapped(function: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    async def around() -> str:
        return await function()

    return around


def wrapped(function: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    @functools.wraps(function)
    async def around() -> str:
        return await function()

    return around


class Called:
    """An endpoint that is an object."""

    @closed
    async def __call__(self) -> str:
        return "ran"


class CalledAsApp:
    """An app that is an object."""

    @closed
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Static:
    """A namespace of functions."""

    @closed
    @staticmethod
    async def answer() -> str:
        return "ran"


def serve(app: FastAPI, endpoint: type, path: str = "/x") -> None:
    app.router.routes.append(Route(path, endpoint))


def included(route: Mount) -> APIRouter:
    router = APIRouter()
    router.routes.append(route)
    return router


files = functools.partial(StaticFiles, directory=Path(__file__).parent)

READ: dict[str, Callable[[FastAPI], object]] = {
    "files behind middleware": lambda app: app.mount("/x", GZipMiddleware(closed(files()))),
    "files behind two": lambda app: app.mount(
        "/x", GZipMiddleware(closed(GZipMiddleware(files())))
    ),
    "a mount's middleware": lambda app: app.router.routes.append(
        Mount("/x", app=closed(raw()), middleware=[Middleware(GZipMiddleware)])
    ),
    "a mount's middleware that hides it": lambda app: app.router.routes.append(
        Mount("/x", app=closed(raw()), middleware=[Middleware(Inner)])
    ),
    "routes behind such": lambda app: app.router.routes.append(
        Mount(
            "/x",
            app=closed(Starlette(routes=[Route("/y", page)])),
            middleware=[Middleware(Inner)],
        )
    ),
    "a path of theirs": lambda app: app.router.routes.append(
        Mount(
            "/x",
            app=at_edge(below="/y", access="authenticated", scopes=["admin"])(
                Starlette(routes=[Route("/y", page)])
            ),
            middleware=[Middleware(Inner)],
        )
    ),
    "a mount that is included": lambda app: app.include_router(
        included(closed(Mount("/x", app=GZipMiddleware(raw()))))
    ),
    "an app that is included": lambda app: app.include_router(
        included(Mount("/x", app=GZipMiddleware(closed(raw()))))
    ),
    "an object mounted": lambda app: app.mount("/x", CalledAsApp()),
    "partial": lambda app: app.get("/x")(functools.partial(closed(handler()))),
    "partial of partial": lambda app: app.add_route(
        "/x", functools.partial(functools.partial(closed(functools.partial(page))))
    ),
    "decorator": lambda app: app.get("/x")(wrapped(closed(handler()))),
    "object": lambda app: app.get("/x")(Called()),
    "static method": lambda app: app.get("/x")(Static.answer),
    "route with middleware": lambda app: app.router.routes.append(
        Route("/x", functools.partial(closed(functools.partial(page))), middleware=[])
    ),
}


@pytest.mark.parametrize("add", READ.values(), ids=READ.keys())
def test_a_declaration_is_read_through_what_is_wrapped_around_it(
    add: Callable[[FastAPI], object],
) -> None:
    app = public(FastAPI(openapi_url=None))
    add(app)
    (route,) = compile_routes(app)
    assert (route["access"], route["scopes"]) == ("authenticated", ["admin"])


def test_the_outermost_counts_member_by_member() -> None:
    app = FastAPI(openapi_url=None)
    app.mount("/x", at_edge(methods=["POST"])(GZipMiddleware(closed(public(raw())))))
    app.get("/y")(at_edge(id="mine")(functools.partial(closed(handler()))))
    one, two = compile_routes(app)
    assert (one["access"], one["methods"]) == ("authenticated", ["POST"])
    assert (two["access"], two["id"]) == ("authenticated", "mine")


def test_middleware_around_the_whole_app_can_be_marked() -> None:
    app = public(FastAPI(openapi_url=None))
    app.get("/x")(handler())
    (route,) = compile_routes(closed(GZipMiddleware(app)))
    assert route["access"] == "authenticated"


def test_an_endpoint_that_knows_its_app_does_not_take_over_what_is_said_of_it() -> None:
    app = public(FastAPI(openapi_url=None))

    class View:
        def __init__(self) -> None:
            self.app = app

        async def __call__(self) -> str:
            return "ran"

    router = closed(APIRouter())
    router.get("/x")(View())
    app.include_router(router)
    (route,) = compile_routes(app)
    assert route["access"] == "authenticated"


class Methods(HTTPEndpoint):
    """It closes one of its methods."""

    async def get(self, request: Request) -> None: ...
    @closed
    async def delete(self, request: Request) -> None: ...


class SignedMethod(HTTPEndpoint):
    """It binds the body of one of its methods."""

    @at_edge(sign_body=True)
    async def post(self, request: Request) -> None: ...


@closed
class Base(HTTPEndpoint):
    """A closed endpoint."""

    async def get(self, request: Request) -> None: ...


class Child(Base):
    """It inherits from a closed endpoint."""


@closed
class MarkedClass:
    """A class that is marked, and not its objects."""

    async def __call__(self) -> None: ...


@closed
class MarkedFiles(StaticFiles):
    """A class of apps that is marked, and not its objects."""


def dispatched(app: FastAPI) -> None:
    below = closed(Starlette(routes=[Route("/y", page)]))

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        await below(scope, receive, send)

    app.mount("/x", dispatch)


def base_and_child(app: FastAPI) -> None:
    serve(app, Base, "/base")
    serve(app, Child)


LOST: dict[str, tuple[Callable[[FastAPI], object], str]] = {
    "method": (lambda app: serve(app, Methods), "access, scopes of Methods.delete"),
    "body": (lambda app: serve(app, SignedMethod), "sign_body of SignedMethod.post"),
    "subclass": (lambda app: serve(app, Child), "access, scopes of Base"),
    "both": (
        base_and_child,
        "access, scopes of Base",
    ),
    "class": (lambda app: app.get("/x")(MarkedClass()), "access, scopes of MarkedClass"),
    "class of an app": (
        lambda app: app.mount("/x", GZipMiddleware(MarkedFiles(directory="/"))),
        "access, scopes of MarkedFiles",
    ),
    "closure": (
        lambda app: app.get("/x")(unwrapped(closed(handler()))),
        "access, scopes of handler",
    ),
    "attribute": (lambda app: app.mount("/x", Inner(closed(raw()))), "access, scopes of raw"),
    "attribute of an attribute": (
        lambda app: app.mount("/x", Inner(Inner(closed(files())))),
        "access, scopes of StaticFiles",
    ),
    "app dispatched by hand": (dispatched, "access, scopes of Starlette"),
    "dependency": (
        lambda app: app.get("/x", dependencies=[Depends(closed(handler()))])(handler()),
        "access, scopes of handler",
    ),
}


@pytest.mark.parametrize(("add", "said"), LOST.values(), ids=LOST.keys())
def test_a_declaration_that_nobody_reads_is_a_fault(
    add: Callable[[FastAPI], object], said: str
) -> None:
    app = public(FastAPI(openapi_url=None))
    add(app)
    with pytest.raises(CannotCompile) as error:
        compile_routes(app)
    assert len(error.value.faults) == 1
    assert f"has a declaration that is not read: {said}" in str(error.value)


def test_what_says_the_same_or_is_said_anew_is_no_fault() -> None:
    app = public(FastAPI(openapi_url=None))
    helper = closed(handler())

    class Same(HTTPEndpoint):
        @at_edge(access="public")
        async def get(self, request: Request) -> None: ...

    @at_edge(access="optional", scopes=[])
    class Anew(Base): ...

    async def calls_another() -> str:
        return f"{app.title} {await helper()}"

    serve(app, Same, "/same")
    serve(app, Anew, "/anew")
    app.get("/helper")(helper)
    app.get("/calls")(calls_another)
    assert [route["access"] for route in compile_routes(app)] == [
        "public",
        "optional",
        "authenticated",
        "public",
    ]


def behind(app: ASGIApp) -> Mount:
    return Mount("/x", app=app, middleware=[Middleware(Inner)])


MOUNTED: dict[str, Callable[[FastAPI, Any], object]] = {
    "wrapper": lambda app, below: app.mount("/x", GZipMiddleware(below)),
    "middleware": lambda app, below: app.router.routes.append(behind(below)),
    "included": lambda app, below: app.include_router(included(behind(below))),
}


@pytest.mark.parametrize("mount", MOUNTED.values(), ids=MOUNTED.keys())
def test_a_body_is_bound_for_what_stands_behind_middleware(
    edge: Edge, mount: Callable[[FastAPI, Any], object]
) -> None:
    below = at_edge(access="public", methods=["POST"], sign_body=True, opaque=True)(
        Starlette(routes=[Route("/y", page, methods=["POST"])])
    )
    app = FastAPI(openapi_url=None)
    mount(app, below)
    guard(app, edge.settings(strict=True))
    claims: Any = payload("/x/y", "/x/{path:path}", method="POST")
    claims["tctx"]["route"] = "post-x--path"
    client = TestClient(app)
    name = HEADER
    unbound = client.post("/x/y", content=b"b", headers={name: edge.sign(claims).decode()})
    assert unbound.status_code == 401
    claims["tctx"]["content_digest"] = content_digest(b"b")
    bound = client.post("/x/y", content=b"b", headers={name: edge.sign(claims).decode()})
    assert (bound.status_code, bound.text) == (200, "b")
