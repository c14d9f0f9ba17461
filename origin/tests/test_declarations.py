"""Every declaration has effect, in the compiler and at run time, or is a fault."""

import contextlib
import copy
import functools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Annotated, Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, routing
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import AnyCaller, Caller, FastgateMiddleware, at_edge, fastgate, guard
from fastgate.compile.callers import object_graph
from fastgate.compile.policy import CannotCompile, compile_routes, route_ids
from fastgate.content import content_digest
from tests.edge import HEADER, Edge, payload

INCLUDES_MOUNTS = hasattr(routing, "_IncludedRouter")
"""Older FastAPI ignores the mounts of an included router."""

closed = at_edge(access="authenticated", scopes=["admin"])
public = at_edge(access="public", methods=["GET"])
public_page = at_edge(access="public")


class Inner:
    """Middleware that stores its app under another name than `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self.inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.inner(scope, receive, send)


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await request.body()).decode())


def handler() -> Callable[[], Awaitable[str]]:
    async def respond() -> str:
        return "ran"

    return respond


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
    """A class that is a namespace of functions."""

    @closed
    @staticmethod
    async def respond() -> str:
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
    "an object mounted": lambda app: app.mount("/x", CalledAsApp()),
    "partial": lambda app: app.get("/x")(functools.partial(closed(handler()))),
    "partial of partial": lambda app: app.add_route(
        "/x", functools.partial(functools.partial(closed(functools.partial(page))))
    ),
    "decorator": lambda app: app.get("/x")(wrapped(closed(handler()))),
    "object": lambda app: app.get("/x")(Called()),
    "static method": lambda app: app.get("/x")(Static.respond),
    "route with middleware": lambda app: app.router.routes.append(
        Route("/x", functools.partial(closed(functools.partial(page))), middleware=[])
    ),
}


if INCLUDES_MOUNTS:
    READ |= {
        "a mount that is included": lambda app: app.include_router(
            included(closed(Mount("/x", app=GZipMiddleware(raw()))))
        ),
        "an app that is included": lambda app: app.include_router(
            included(Mount("/x", app=GZipMiddleware(closed(raw()))))
        ),
    }


@pytest.mark.parametrize("add", READ.values(), ids=READ.keys())
def test_a_declaration_is_read_through_its_wrappers(
    add: Callable[[FastAPI], object],
) -> None:
    app = public(FastAPI(openapi_url=None))
    add(app)
    (route,) = compile_routes(app)
    assert (route["access"], route["scopes"]) == ("authenticated", ["admin"])


def test_the_outermost_counts_member_by_member() -> None:
    app = FastAPI(openapi_url=None)
    app.mount(
        "/x", at_edge(methods=["POST"])(GZipMiddleware(closed(GZipMiddleware(public(raw())))))
    )
    app.get("/y")(at_edge(id="mine")(functools.partial(closed(handler()))))
    one, two = compile_routes(app)
    assert (one["access"], one["methods"]) == ("authenticated", ["POST"])
    assert (two["access"], two["id"]) == ("authenticated", "mine")


def test_a_different_mark_on_a_wrapper_of_the_whole_app_is_a_fault(edge: Edge) -> None:
    app = public(FastAPI(openapi_url=None))
    app.get("/x")(handler())
    with pytest.raises(CannotCompile, match=r"access, scopes on a wrapper of the app\n.*mark the"):
        compile_routes(closed(GZipMiddleware(app)))
    same = compile_routes(at_edge(access="public")(GZipMiddleware(app)))
    assert same == compile_routes(app)


def test_an_endpoint_with_a_reference_to_its_app_does_not_inherit_by_it() -> None:
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
    """A class with a closed method."""

    async def get(self, request: Request) -> None: ...
    @closed
    async def delete(self, request: Request) -> None: ...


class SignedMethod(HTTPEndpoint):
    """A class with a method that requires a signed body."""

    @at_edge(sign_body=True)
    async def post(self, request: Request) -> None: ...


@closed
class Base(HTTPEndpoint):
    """A closed endpoint."""

    async def get(self, request: Request) -> None: ...


class Child(Base):
    """A class that inherits from a closed endpoint."""


@closed
class MarkedClass:
    """A marked class; its objects are not marked."""

    async def __call__(self) -> None: ...


@closed
class MarkedFiles(StaticFiles):
    """A marked class of apps; its objects are not marked."""


def dispatched(app: FastAPI) -> None:
    below = closed(Starlette(routes=[Route("/y", page)]))

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        await below(scope, receive, send)

    app.mount("/x", dispatch)


def base_and_child(app: FastAPI) -> None:
    serve(app, Base, "/base")
    serve(app, Child)


LOST: dict[str, tuple[Callable[[FastAPI], object], str]] = {
    "method": (lambda app: serve(app, Methods), "access, scopes on Methods.delete"),
    "body": (lambda app: serve(app, SignedMethod), "sign_body on SignedMethod.post"),
    "subclass": (lambda app: serve(app, Child), "access, scopes on Base"),
    "both": (
        base_and_child,
        "access, scopes on Base",
    ),
    "class": (lambda app: app.get("/x")(MarkedClass()), "access, scopes on MarkedClass"),
    "class of an app": (
        lambda app: app.mount("/x", GZipMiddleware(MarkedFiles(directory="/"))),
        "access, scopes on MarkedFiles",
    ),
    "closure": (
        lambda app: app.get("/x")(unwrapped(closed(handler()))),
        "access, scopes on handler",
    ),
    "attribute": (lambda app: app.mount("/x", Inner(closed(raw()))), "access, scopes on raw"),
    "attribute of an attribute": (
        lambda app: app.mount("/x", Inner(Inner(closed(files())))),
        "access, scopes on StaticFiles",
    ),
    "app dispatched by hand": (dispatched, "access, scopes on Starlette"),
    "dependency": (
        lambda app: app.get("/x", dependencies=[Depends(closed(handler()))])(handler()),
        "access, scopes on handler",
    ),
}


@pytest.mark.parametrize(("add", "said"), LOST.values(), ids=LOST.keys())
def test_a_declaration_without_effect_is_a_fault(
    add: Callable[[FastAPI], object], said: str
) -> None:
    app = public(FastAPI(openapi_url=None))
    add(app)
    with pytest.raises(CannotCompile) as error:
        compile_routes(app)
    assert len(error.value.faults) == 1
    assert f"has a declaration without effect: {said}" in str(error.value)


@pytest.mark.parametrize("access", [None, "public", "authenticated"])
def test_a_mark_above_a_decorator_that_is_above_the_route_is_a_fault(
    access: str | None,
) -> None:
    app = at_edge(access="public")(FastAPI(openapi_url=None))
    respond = handler() if access is None else at_edge(access=access)(handler())
    app.get("/x")(respond)
    closed(wrapped(wrapped(respond)))
    with pytest.raises(CannotCompile, match="the route's decorator above all others") as error:
        compile_routes(app)
    assert len(error.value.faults) == 1


@pytest.mark.parametrize("name", ["respond", "of_class"])
def test_a_mark_above_the_decorator_of_a_bound_method_is_a_fault(name: str) -> None:
    class Service:
        async def respond(self) -> str:
            return "ran"

        @classmethod
        async def of_class(cls) -> str:
            return "ran"

    app = public(FastAPI(openapi_url=None))
    one, other = Service(), type("Other", (Service,), {})()
    app.get("/other")(getattr(other, name))
    app.get("/x")(getattr(one, name))
    closed(wrapped(wrapped(getattr(one, name))))
    with pytest.raises(CannotCompile, match="the route's decorator above all others") as error:
        compile_routes(app)
    assert [fault.endpoint.template for fault in error.value.faults] == ["/x"]


def test_a_mark_above_the_decorator_that_changes_nothing_is_not_a_fault() -> None:
    app = public(FastAPI(openapi_url=None))
    respond = app.get("/x")(closed(handler()))
    closed(wrapped(respond))
    assert [route["access"] for route in compile_routes(app)] == ["authenticated"]


def test_a_marked_wrapper_and_the_wrapped_function_are_two_endpoints() -> None:
    app = at_edge(access="public")(FastAPI(openapi_url=None))
    respond = at_edge(access="public")(handler())
    app.get("/open")(respond)
    app.get("/wrapped")(closed(wrapped(respond)))
    silent = handler()
    app.get("/silent")(silent)
    app.get("/partial")(closed(functools.partial(silent)))
    assert [route["access"] for route in compile_routes(app)] == [
        *("public", "authenticated", "public", "authenticated")
    ]
    app.get("/wraps")(closed(wrapped(silent)))
    with pytest.raises(CannotCompile, match="access, scopes on handler") as error:
        compile_routes(app)
    assert [fault.endpoint.template for fault in error.value.faults] == ["/silent"]


@pytest.mark.parametrize("around", [{}, {"require": {"rule": "staff"}}], ids=["access", "more"])
@pytest.mark.parametrize("first", [True, False])
def test_an_open_served_wrapper_does_not_concern_the_wrapped_endpoint(
    around: dict[str, Any], *, first: bool
) -> None:
    app = at_edge(access="authenticated", **around)(FastAPI(openapi_url=None))
    inner = handler()
    if first:
        app.get("/x")(inner)
    app.get("/open")(public_page(wrapped(inner)))
    if not first:
        app.get("/x")(inner)
    routes = {route["path"]: route for route in compile_routes(app)}
    assert routes["/open"]["access"] == "public"
    assert routes["/x"]["access"] == "authenticated"
    assert routes["/x"].get("require") == around.get("require")


def test_a_wrapper_that_is_stricter_or_not_served_concerns_the_wrapped_endpoint() -> None:
    app = at_edge(access="authenticated")(FastAPI(openapi_url=None))
    app.get("/x")(inner := handler())
    wrapper = public_page(wrapped(inner))
    with pytest.raises(CannotCompile, match="without effect: access on"):
        compile_routes(app)
    app.get("/open")(at_edge(limits=["few"])(wrapper))
    with pytest.raises(CannotCompile, match="without effect: limits on"):
        compile_routes(app)


def test_an_equal_or_repeated_declaration_is_not_a_fault() -> None:
    app = public(FastAPI(openapi_url=None))
    helper = closed(handler())

    class Same(HTTPEndpoint):
        @at_edge(access="public")
        async def get(self, request: Request) -> None: ...

    @at_edge(access="optional", scopes=[])
    class Anew(Base): ...

    @at_edge(access="public")
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


# A function that is an endpoint itself and is called by another endpoint.


def retried(called: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    async def again() -> str:
        return await called()

    return again


def retried_by_default(called: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    async def again() -> str:
        return await called()

    again.original = called  # type: ignore[attr-defined]
    return again


class Retried:
    """An object that calls a function in one of its attributes."""

    def __init__(self, called: Callable[[], Awaitable[str]]) -> None:
        self.called = called

    async def __call__(self) -> str:
        return await self.called()

    async def again(self) -> str:
        return await self.called()


CALLING: dict[str, Callable[[Any], Any]] = {
    "closure": retried,
    "closure in a closure": lambda called: retried(retried(called)),
    "attribute of a function": retried_by_default,
    "object": Retried,
    "method of an object": lambda called: Retried(called).again,
    "partial function of one": lambda called: functools.partial(retried(called)),
    "closure over a partial function": lambda called: retried(functools.partial(called)),
}


@pytest.mark.parametrize("calling", CALLING.values(), ids=CALLING.keys())
@pytest.mark.parametrize("served_too", [True, False])
def test_an_endpoint_that_calls_a_marked_one_must_declare_the_same(
    calling: Callable[[Any], Any], *, served_too: bool
) -> None:
    app, called = public(FastAPI(openapi_url=None)), closed(handler())
    if served_too:
        app.get("/called")(called)
    app.get("/calls")(calling(called))
    with pytest.raises(CannotCompile, match="without effect: access, scopes on handler") as error:
        compile_routes(app)
    assert len(error.value.faults) == 1
    app.routes.pop()
    app.get("/calls")(closed(calling(called)))
    assert {route["access"] for route in compile_routes(app)} == {"authenticated"}


class Reports:
    """An object with one or two methods that are endpoints."""

    async def erase(self) -> str:
        return "ran"

    async def read(self) -> str:
        return "ran"


def calling_of(reports: Reports, name: str) -> Callable[[], Awaitable[str]]:
    async def call() -> str:
        result: str = await getattr(reports, name)()
        return result

    return call


@pytest.mark.parametrize("by_itself", [True, False])
def test_an_endpoint_with_the_object_of_a_marked_method_must_declare_the_same(
    *, by_itself: bool
) -> None:
    app, reports = public_page(FastAPI(openapi_url=None)), Reports()
    closed(reports.erase)
    endpoint = reports.read if by_itself else calling_of(reports, "erase")
    app.get("/x")(endpoint)
    with pytest.raises(CannotCompile, match=r"access, scopes on Reports\.erase") as error:
        compile_routes(app)
    assert len(error.value.faults) == 1
    app.routes.pop()
    app.get("/x")(public_page(functools.partial(endpoint)))
    assert [route["access"] for route in compile_routes(app)] == ["public"]


@pytest.mark.parametrize("copied", [lambda it: it, copy.copy, copy.deepcopy])
def test_a_served_marked_method_does_not_concern_other_methods_of_its_object(
    copied: Callable[[Reports], Reports],
) -> None:
    app, reports = public_page(FastAPI(openapi_url=None)), Reports()
    app.get("/erase")(closed(reports.erase))
    app.get("/read")(copied(reports).read)
    app.get("/calls")(calling_of(copied(reports), "read"))
    found = {route["path"]: route["access"] for route in compile_routes(app)}
    assert found == {"/erase": "authenticated", "/read": "public", "/calls": "public"}


def test_an_open_endpoint_or_a_dependency_need_not_declare_the_same() -> None:
    app, reports = closed(FastAPI(openapi_url=None)), Reports()
    public_page(reports.erase)
    app.get("/read")(reports.read)
    assert [route["access"] for route in compile_routes(app)] == ["authenticated"]
    app, reports = public_page(FastAPI(openapi_url=None)), Reports()
    depends = [Depends(closed(reports.erase))]
    app.get("/closed", dependencies=depends)(closed(handler()))
    app.get("/read")(reports.read)
    assert [route["access"] for route in compile_routes(app)] == ["authenticated", "public"]
    app.get("/open", dependencies=depends)(handler())
    with pytest.raises(CannotCompile, match=r"access, scopes on Reports\.erase") as error:
        compile_routes(app)
    assert [fault.endpoint.template for fault in error.value.faults] == ["/open"]


def test_a_mounted_app_that_calls_a_marked_endpoint_must_declare_the_same() -> None:
    app, called = public(FastAPI(openapi_url=None)), closed(handler())
    app.get("/called")(called)
    app.mount("/calls", at_edge(methods=["GET"])(Retried(called)))  # type: ignore[arg-type]
    with pytest.raises(CannotCompile, match="without effect: access, scopes on handler"):
        compile_routes(app)


def test_an_endpoint_with_a_table_of_endpoints_need_not_declare_the_same() -> None:
    app, table = public(FastAPI(openapi_url=None)), dict[str, object]()
    for name in ("a", "b"):
        table[name] = app.get(f"/{name}")(closed(handler()))

    async def index() -> list[str]:
        return [*table]

    app.get("/")(index)
    assert compile_routes(app)[-1]["access"] == "public"


class Hides:
    """Middleware that stores its app in a slot, under another name than `app`."""

    __slots__ = ("__dict__", "_app")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def in_a_closure(app: ASGIApp) -> ASGIApp:
    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return dispatch


def in_a_partial(app: ASGIApp) -> ASGIApp:
    async def dispatch(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return functools.partial(dispatch, app)


def of_an_endpoint() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/admin")(at_edge(access="authenticated")(handler()))
    return app


def of_a_router() -> FastAPI:
    app, router = FastAPI(openapi_url=None), at_edge(access="authenticated")(APIRouter())
    router.get("/admin")(handler())
    app.include_router(router)
    return app


def of_a_path() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/admin")(handler())
    return at_edge(below="/admin", access="authenticated")(app)


def of_one_that_is_hidden_itself() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.mount("/in", Hides(of_an_endpoint()))
    return app


@pytest.mark.parametrize("hide", [Inner, Hides, in_a_closure, in_a_partial])
@pytest.mark.parametrize("made", [of_an_endpoint, of_a_router, of_a_path])
@pytest.mark.parametrize("members", [{}, {"opaque": True}, {"access": "public"}])
def test_declarations_on_routes_of_a_hidden_app_are_faults(
    hide: Callable[[ASGIApp], ASGIApp], made: Callable[[], FastAPI], members: dict[str, Any]
) -> None:
    app = public(FastAPI(openapi_url=None))
    app.mount("/x", at_edge(methods=["GET"], **members)(hide(made())))
    with pytest.raises(CannotCompile, match=r"without effect: access on respond \(/x/admin, "):
        compile_routes(app)


def test_declarations_of_an_app_within_a_hidden_app_are_faults() -> None:
    app = public(FastAPI(openapi_url=None))
    app.mount("/x", at_edge(methods=["GET"])(Hides(of_one_that_is_hidden_itself())))
    with pytest.raises(CannotCompile, match=r"without effect: access on respond"):
        compile_routes(app)


def test_mounted_middleware_with_a_reference_to_the_outer_app_hides_nothing() -> None:
    app = public(of_an_endpoint())
    knows = Hides(app)
    app.mount("/x", at_edge(access="public", methods=["GET"])(knows))
    assert [route["access"] for route in compile_routes(app)] == ["authenticated", "public"]


@at_edge(access="authenticated")
class Orders:
    """A marked class whose methods are endpoints."""

    async def one(self) -> str:
        return "ran"

    @classmethod
    async def all(cls) -> str:
        return "ran"


class Derived(Orders):
    """A class that inherits the endpoints of a marked class."""


class Control:
    """A class with a marked method, whose objects cannot be called."""

    @at_edge(access="authenticated")
    async def get(self) -> str:
        return "ran"

    async def other(self) -> str:
        return "ran"


class Slotted:
    """An endpoint that stores the function that it calls in a slot."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], Awaitable[str]]) -> None:
        self.function = function

    async def __call__(self) -> str:
        return await self.function()


class HasApp:
    """An endpoint with an attribute `app`, which it does not necessarily call."""

    def __init__(self, app: object) -> None:
        self.app = app

    async def __call__(self) -> str:
        return "ran"


def calling(held: Any) -> Callable[[], Awaitable[str]]:  # noqa: ANN401
    async def respond() -> str:
        return str(await held.get())

    return respond


def plain() -> Callable[[], Awaitable[str]]:
    return at_edge(access="authenticated")(handler())


class Needs:
    """A decorator that is a descriptor, without `__wrapped__`."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def __get__(self, instance: object, owner: type) -> object:
        return functools.partial(self.function, instance)


class DescribedMethod(HTTPEndpoint):
    """A class with a closed method in such a decorator."""

    async def get(self, request: Request) -> None: ...

    @Needs
    @at_edge(access="authenticated")
    async def delete(self, request: Request) -> None: ...


class PartialMethod(HTTPEndpoint):
    """A class with a closed partial method."""

    async def get(self, request: Request) -> None: ...

    delete = at_edge(access="authenticated")(functools.partialmethod(get))


@at_edge(access="authenticated")
class Around:
    """Middleware whose class is marked."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


async def around(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


HELD: dict[str, Callable[[FastAPI], object]] = {
    "bound method of a marked class": lambda app: app.get("/x")(Orders().one),
    "class method of one": lambda app: app.get("/x")(Orders.all),
    "method of a marked base": lambda app: app.get("/x")(Derived().one),
    "method of a marked object": lambda app: app.get("/x")(
        at_edge(access="authenticated")(Control()).other
    ),
    "dependency of a marked class": lambda app: app.get("/x", dependencies=[Depends(Orders().one)])(
        handler()
    ),
    "object that cannot be called": lambda app: app.get("/x")(calling(Control())),
    "namespace": lambda app: app.get("/x")(calling(SimpleNamespace(get=plain()))),
    "mapping": lambda app: app.get("/x")(calling(MappingProxyType({"get": plain()}))),
    "slot": lambda app: app.get("/x")(Slotted(plain())),
    "app of an endpoint": lambda app: app.get("/x")(HasApp(plain())),
    "descriptor": lambda app: serve(app, at_edge(access="public")(DescribedMethod)),
    "partial method": lambda app: serve(app, at_edge(access="public")(PartialMethod)),
    "class of middleware": lambda app: app.add_middleware(Around),
    "function of middleware": lambda app: app.middleware("http")(
        at_edge(access="authenticated")(around)
    ),
}


@pytest.mark.parametrize("add", HELD.values(), ids=HELD.keys())
def test_a_restrictive_mark_on_any_referenced_object_is_a_fault(
    add: Callable[[FastAPI], object],
) -> None:
    app = public(FastAPI(openapi_url=None))
    add(app)
    with pytest.raises(CannotCompile, match=r"has a declaration without effect: access on"):
        compile_routes(app)


def test_the_app_attribute_of_an_endpoint_does_not_open_it() -> None:
    app = closed(FastAPI(openapi_url=None))
    app.get("/x")(HasApp(public(raw())))
    with pytest.raises(
        CannotCompile, match=r"without effect: access on raw.*\n.*at_edge\(access=…\)"
    ):
        compile_routes(app)


def copying(*, anybody: bool = False, scopes: tuple[str, ...] = ()) -> Callable[..., Any]:
    """Return a decorator that declares who may call, and does not set `__wrapped__`."""
    known = Annotated[Caller, Security(fastgate, scopes=[*scopes])]
    caller_type: Any = AnyCaller if anybody else known

    def decorate(function: Callable[[], Awaitable[str]]) -> Callable[..., Awaitable[str]]:
        async def around(caller: caller_type) -> str:
            return await function()

        return around

    return decorate


def saying(access: str, decorate: Callable[..., Any]) -> Callable[..., Any]:
    """Return a decorator whose result also declares its access by `at_edge`."""
    return lambda function: at_edge(access=access)(decorate(function))


@pytest.mark.parametrize(
    ("outer", "inner", "lost"),
    [
        (copying(), {"scopes": ["admin"]}, "scopes"),
        (copying(scopes=("read",)), {"scopes": ["read", "admin"]}, "scopes"),
        (copying(), {"access": "none"}, "access"),
        (copying(), {"access": "authenticated", "require": {"rule": "a"}}, "require"),
        (copying(anybody=True), {"access": "authenticated"}, "access"),
        (copying(anybody=True), {"scopes": ["admin"]}, "scopes"),
        (copying(anybody=True), {"require": {"rule": "a"}}, "require"),
        (copying(anybody=True), {"access": "none"}, "access"),
    ],
)
@pytest.mark.parametrize("inherited", [{}, {"access": "public"}])
def test_a_dependency_does_not_replace_a_stricter_mark(
    outer: Callable[..., Any], inner: dict[str, Any], lost: str, inherited: dict[str, Any]
) -> None:
    app = at_edge(**inherited)(FastAPI(openapi_url=None))
    app.get("/x")(outer(at_edge(**inner)(handler())))
    with pytest.raises(CannotCompile, match=f"without effect: {lost} on handler"):
        compile_routes(app)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (copying(), {"access": "public"}),
        (copying(), {"access": "authenticated"}),
        (copying(scopes=("read", "admin")), {"scopes": ["admin"]}),
        (copying(anybody=True), {"access": "public"}),
        (copying(anybody=True), {"access": "optional"}),
        (saying("authenticated", copying()), {"scopes": ["admin"]}),
        (saying("optional", copying(anybody=True)), {"require": {"rule": "a"}}),
    ],
)
def test_a_mark_that_is_not_stricter_or_is_declared_is_not_a_fault(
    outer: Callable[..., Any], inner: dict[str, Any]
) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x")(outer(at_edge(**inner)(handler())))
    assert len(compile_routes(app)) == 1


def test_a_dependency_may_have_the_same_mark_as_its_router() -> None:
    async def checks() -> None: ...

    async def me(caller: Caller) -> None: ...

    app, router = FastAPI(openapi_url=None), at_edge(scopes=["a"])(APIRouter())
    router.get("/x", dependencies=[Depends(at_edge(scopes=["a"])(checks))])(me)
    app.include_router(router)
    assert [route["scopes"] for route in compile_routes(app)] == [["a"]]


def test_the_remedy_for_scopes_is_one_that_compiles() -> None:
    app = FastAPI(openapi_url=None)
    app.get("/x")(copying()(at_edge(scopes=["admin"])(handler())))
    with pytest.raises(CannotCompile, match=r"require the scopes by Security\(fastgate, scopes=\["):
        compile_routes(app)


def test_the_endpoints_own_declaration_is_enough() -> None:
    other = closed(FastAPI(openapi_url=None))
    stats = other.get("/stats")(closed(handler()))
    registry: list[object] = [stats]

    def kept(function: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
        registry.append(function)

        @functools.wraps(function)
        async def respond() -> str:
            return f"{len(registry)} {await function()}"

        return respond

    async def health() -> bool:
        return bool(other.state.ready)

    app = public(FastAPI(openapi_url=None))
    app.get("/health")(health)  # another app is not part of what it serves
    app.get("/teaser")(at_edge(access="public")(unwrapped(stats)))
    app.get("/kept")(at_edge(access="optional")(kept(handler())))
    app.get("/known")(at_edge(access="authenticated", scopes=[])(kept(handler())))
    assert [(route["access"], route.get("scopes")) for route in compile_routes(app)] == [
        ("public", None),
        ("public", None),
        ("optional", None),
        ("authenticated", []),
    ]


class Answers:
    """A proxy that has an attribute of every name: another proxy."""

    def __getattr__(self, name: str) -> "Answers":
        return Answers()

    async def __call__(self) -> str:
        return "ran"


def refused(proxy: object) -> Any:  # noqa: ANN401
    raise RuntimeError(f"{type(proxy).__name__} is not bound")


class Unbound:
    """A proxy without a target yet: every access to an attribute raises an error."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)

    locals().update({"__dict__": property(refused), "__class__": property(refused)})


class Lazy:
    """An object that computes its app."""

    @property
    def app(self) -> object:
        raise RuntimeError("not yet")

    async def __call__(self) -> str:
        return "ran"


EXAMINED = [MagicMock, Answers, Unbound, Lazy]
with contextlib.suppress(TypeError):  # older FastAPI cannot take its signature
    FastAPI().get("/", response_model=None)(AsyncMock())
    EXAMINED.append(AsyncMock)


@pytest.mark.parametrize("made", EXAMINED)
def test_no_code_of_examined_objects_is_run(edge: Edge, made: Callable[[], Any]) -> None:
    app, held = at_edge(access="public")(FastAPI(openapi_url=None)), made()
    app.get("/closure")(calling(held))
    app.get("/attribute")(HasApp(held))
    app.mount("/mounted", at_edge(methods=["GET"])(Hides(held)))
    app.get("/dependency", dependencies=[Depends(HasApp(held))])(handler())
    if made not in (Answers, Unbound):  # FastAPI examines those itself
        app.get("/endpoint", response_model=None)(held)
        app.mount("/app", at_edge(methods=["GET"])(made()))
    assert {route["access"] for route in compile_routes(app)} == {"public"}
    guard(app, edge.settings(strict=True))
    with TestClient(app):
        pass


def test_each_object_is_examined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    held = object_graph.references_of

    def counted(target: object) -> Iterator[object]:
        looked.append(id(target))
        return held(target)

    monkeypatch.setattr(object_graph, "references_of", counted)
    registry = {"handlers": [handler() for _ in range(50)], "numbers": list(range(1000))}
    app = public(FastAPI(openapi_url=None))
    for number in range(50):

        async def respond(number: int = number) -> int:
            return len(registry)

        app.get(f"/{number}")(respond)
    compile_routes(app)
    assert len(looked) == len(set(looked)) < 500


def test_an_endpoint_with_too_many_objects_must_declare_its_access(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(object_graph, "MAX_OBJECTS", 50)
    registry = [handler() for _ in range(100)]

    async def respond() -> int:
        return len(registry)

    async def says() -> int:
        return len(registry)

    app = public(FastAPI(openapi_url=None))
    app.get("/says")(at_edge(access="public")(says))
    assert len(compile_routes(app)) == 1
    app.get("/x")(respond)
    with pytest.raises(CannotCompile, match=r"refers to too many objects") as error:
        compile_routes(app)
    assert len(error.value.faults) == 1


def test_a_mark_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    app, router = FastAPI(openapi_url=None), APIRouter()
    router.get("/x")(handler())
    app.include_router(router)
    if type(included := app.routes[-1]).__name__ == "_IncludedRouter":
        with pytest.raises(TypeError, match="mark a router before it is included"):
            closed(included)
    if hasattr(app, "frontend"):
        app.frontend("/ui", directory=tmp_path)
        (group,) = app.router._iter_low_priority_routes()
        for each in (group, *vars(group)["routes"]):
            with pytest.raises(TypeError, match=r"mark a frontend by its path"):
                closed(each)
    for each in (Unwritten(), Slotted(handler())):
        with pytest.raises(TypeError, match="nothing can be stored on this object: "):
            closed(each)


class Unwritten:
    """An object that ignores the attributes set on it, without an error."""

    def __setattr__(self, name: str, value: object) -> None: ...


@pytest.mark.parametrize("inside", [True, False])
def test_a_prefix_on_a_wrapper_is_refused_because_the_running_app_does_not_see_it(
    edge: Edge, inside: bool
) -> None:
    app = FastAPI(openapi_url=None)
    app.root_path = "/gw"
    app.get("/gw/x")(at_edge(access="public")(handler()))
    app.get("/x")(at_edge(access="authenticated")(handler()))
    outside = at_edge(prefix="/gw")(GZipMiddleware(app))
    with pytest.raises(CannotCompile, match=r"prefix on a wrapper of the app\n.*mark the app"):
        compile_routes(outside)
    # The running app agrees with the policy that is compiled without that mark.
    ids = route_ids(app)
    if inside:
        guard(app, edge.settings(strict=True))
    served = outside if inside else FastgateMiddleware(outside, edge.settings(strict=True))
    for template in ("/gw/x", "/gw/gw/x"):
        claims: Any = payload("/gw/x", template)
        claims["tctx"]["route"] = ids["GET", template]
        response = TestClient(served).get("/x", headers={HEADER: edge.sign(claims).decode()})
        assert response.status_code == (200 if template == "/gw/x" else 401)


def behind(app: ASGIApp) -> Mount:
    return Mount("/x", app=app, middleware=[Middleware(Inner)])


MOUNTED: dict[str, Callable[[FastAPI, Any], object]] = {
    "wrapper": lambda app, below: app.mount("/x", GZipMiddleware(below)),
    "middleware": lambda app, below: app.router.routes.append(behind(below)),
}
if INCLUDES_MOUNTS:
    MOUNTED["included"] = lambda app, below: app.include_router(included(behind(below)))


@pytest.mark.parametrize("mount", MOUNTED.values(), ids=MOUNTED.keys())
def test_a_signed_body_is_required_behind_middleware(
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
